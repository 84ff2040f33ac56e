"""What a data set's name alone says of it, before any folder is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from fedmvp_core.config import DataSection, RunConfig, dataset_names
from fedmvp_core.data import readers
from fedmvp_core.data.class_names import unqualified
from fedmvp_core.data.readers import ReaderEntry, multilabel
from fedmvp_core.data.readers.templates import DEFAULT_STEM, attribute_stems_of, template_of

MULTI_LABEL: Mapping[str, ReaderEntry] = multilabel.READERS
ENTRIES: Mapping[str, ReaderEntry] = MappingProxyType({**readers.READERS, **multilabel.READERS})
OWN_PICTURES = ("imagefolder", "csv-folder")  # whatever a user puts into data-dir
HUB = "hf:"  # before the name of a data set of the Hugging Face hub
AUTO = "auto"

# Of EmojiDomains and its kin: the embedded tiny CLIP has read these sentences. Of folders too.
EMBEDDED_TEMPLATE = "a picture of a {class}."
EMBEDDED_ATTRIBUTE_TEMPLATE = "a picture of a {class}, such as {attribute}."


def needs_folder(dataset: str) -> bool:
    """Whether `data-dir` must say where its pictures are."""
    return dataset in ENTRIES or dataset in OWN_PICTURES or dataset.startswith(HUB)


def class_template(config: RunConfig) -> str:
    """The key `template`; "auto" is the sentence that is published for the data set."""
    if config.data.template != AUTO:
        return config.data.template
    return (
        EMBEDDED_TEMPLATE if _unpublished(config.data.dataset) else template_of(config.data.dataset)
    )


def class_templates(config: RunConfig) -> tuple[str, ...]:
    """The template of each configured data set, in their order."""
    return tuple(class_template(config.with_values(dataset=name)) for name in dataset_names(config))


def spoken_name(config: RunConfig, class_name: str) -> str:
    """A trained class's name as sentences say it: without its data set, where there are several."""
    return unqualified(class_name)[1] if len(dataset_names(config)) > 1 else class_name


def class_sentence(config: RunConfig, class_name: str) -> str:
    """The zero-shot sentence of a trained class, from its own data set's template."""
    if len(dataset_names(config)) > 1:
        config = config.with_values(dataset=unqualified(class_name)[0])
        class_name = unqualified(class_name)[1]
    return class_template(config).replace("{class}", class_name)


def attribute_template(config: RunConfig) -> str:
    """The key `attribute-template`; "auto" is what FedMVP says, see tasks.Task for {glue}.

    FedMVP's sentences for single domains are not used: a task is one for all domains.
    """
    if config.data.attribute_template != AUTO:
        return config.data.attribute_template
    if _unpublished(config.data.dataset):
        return EMBEDDED_ATTRIBUTE_TEMPLATE
    stem = attribute_stems_of(config.data.dataset).get("", DEFAULT_STEM)
    return f"{stem}, {{glue}} {{attribute}}."


def _unpublished(dataset: str) -> bool:
    return dataset == "imagefolder" or dataset.startswith(("emoji", HUB))


@dataclass(frozen=True)
class ClassWords:
    """temporary"""

    names: tuple[str, ...]
    spoken: tuple[str, ...]
    sentences: tuple[str, ...]
    templates: tuple[str, ...]


def class_words(data: DataSection, class_names: tuple[str, ...]) -> ClassWords:
    """temporary"""
    import types

    config = types.SimpleNamespace(
        data=data,
        with_values=lambda dataset: types.SimpleNamespace(data=replace(data, dataset=dataset)),
    )
    return ClassWords(
        tuple(class_names),
        tuple(spoken_name(config, n) for n in class_names),
        tuple(class_sentence(config, n) for n in class_names),
        class_templates(config),
    )
