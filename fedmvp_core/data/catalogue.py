"""What names alone say, before any folder is looked at: of data sets, and of their classes.

In a federation over several data sets a class goes by a qualified name, "dataset/class", because
two data sets may share a class: Caltech-101 and Oxford Flowers both have a sunflower. Sentences say
the plain name.
"""

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.config import DataSection, dataset_names, did_you_mean
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.data.readers.templates import DEFAULT_STEM, attribute_stems_of, template_of
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, listed_as, where_listed

OWN_PICTURES = ("imagefolder", "csv-folder")  # whatever a user puts into data-dir
HUB = "hf:"  # before the name of a data set of the Hugging Face hub
AUTO = "auto"
SEPARATOR = "/"  # in no name of a data set; a class's own name may hold it

# Of EmojiDomains and its kin: the embedded tiny CLIP has read these sentences. Of folders too.
EMBEDDED_TEMPLATE = "a picture of a {class}."
EMBEDDED_ATTRIBUTE_TEMPLATE = "a picture of a {class}, such as {attribute}."
# What the package's small data sets show a picture of; a class is one of them.
_SMALL = {
    "fashion-mnist": "a {class}",
    "digits": "the number {class}",
    "letters": "the letter {class}",
    "kana": "the hiragana {class}",
}


@dataclass(frozen=True)
class ClassWords:
    """The words for the classes of a run, for methods that write sentences of their own.

    names: as they stand in a task's class_names. spoken: the same classes as sentences name them,
    without their data set. sentences: the zero-shot sentence of each class. templates: of each
    configured data set, with {class}; not of each class.
    """

    names: tuple[str, ...]
    spoken: tuple[str, ...]
    sentences: tuple[str, ...]
    templates: tuple[str, ...]


def class_words(data: DataSection, class_names: Sequence[str]) -> ClassWords:
    """The words for `class_names`, which are qualified if several data sets are configured."""
    return ClassWords(
        names=tuple(class_names),
        spoken=tuple(spoken_name(data, name) for name in class_names),
        sentences=tuple(class_sentence(data, name) for name in class_names),
        templates=class_templates(data),
    )


def class_template(data: DataSection) -> str:
    """The key `template`; "auto" is the sentence that is published for the data set."""
    if data.template != AUTO:
        return data.template
    if data.dataset in _SMALL:
        return f"a picture of {_SMALL[data.dataset]}."
    return EMBEDDED_TEMPLATE if _unpublished(data.dataset) else template_of(data.dataset)


def class_templates(data: DataSection) -> tuple[str, ...]:
    """The template of each configured data set, in their order."""
    return tuple(class_template(_of_one(data, name)) for name in dataset_names(data))


def spoken_name(data: DataSection, class_name: str) -> str:
    """A class's name as sentences say it: without its data set, where there are several."""
    return unqualified(class_name)[1] if len(dataset_names(data)) > 1 else class_name


def class_sentence(data: DataSection, class_name: str) -> str:
    """The zero-shot sentence of a class, from its own data set's template."""
    if len(dataset_names(data)) > 1:
        dataset, class_name = unqualified(class_name)
        data = _of_one(data, dataset)
    return class_template(data).replace("{class}", class_name)


def attribute_template(data: DataSection) -> str:
    """The key `attribute-template`; "auto" is what FedMVP says, see tasks.Task for {glue}.

    A published sentence ends with the bare attribute, without a full stop: another last token would
    be another feature of every sentence. FedMVP's sentences for single domains are not used: a task
    is one for all domains.
    """
    if data.attribute_template != AUTO:
        return data.attribute_template
    if data.dataset in _SMALL:
        return f"a picture of {_SMALL[data.dataset]}, with {{attribute}}."
    if _unpublished(data.dataset):
        return EMBEDDED_ATTRIBUTE_TEMPLATE
    stem = attribute_stems_of(data.dataset).get("", DEFAULT_STEM)
    return f"{stem}, {{glue}} {{attribute}}"


def needs_folder(dataset: str) -> bool:
    """Whether `data-dir` must say where the data set's pictures are."""
    return dataset in READERS or dataset in OWN_PICTURES or dataset.startswith(HUB)


def without_folder(name: str) -> ConfigError:
    """What to raise for a name that no data set with a folder has."""
    known = did_you_mean(name, [*READERS, *OWN_PICTURES])
    return ConfigError(
        f"no data set with a folder is called '{name}'{known}{where_listed(DATASETS)}"
    )


def check_data_dir(data: DataSection) -> None:
    """Refuse an empty `data-dir` where a configured data set is read from a folder.

    Raises:
        ConfigError: `data-dir` is empty; the first data set that needs it is named.
    """
    for name in dataset_names(data):
        if not data.data_dir and needs_folder(name):
            raise ConfigError(
                f"data-dir is empty; dataset '{name}' needs the folder of the pictures, such as "
                f"data-dir=data{how_to_get(name, Path('data'))}"
            )


def how_to_get(name: str, root: Path) -> str:
    """A clause that names the command which fetches a data set, or says what to fetch by hand."""
    if name in READERS or listed_as(name, (HUB,)) == HUB:
        return f"; to get it: fedmvp datasets prepare {name} --root {shlex.quote(str(root))}"
    return "; to see what is read of a folder: fedmvp datasets check FOLDER"


def qualified(dataset: str, name: str) -> str:
    """The name that a class of one of several data sets goes by."""
    return f"{dataset}{SEPARATOR}{name}"


def unqualified(name: str) -> tuple[str, str]:
    """(data set, plain name) of a qualified name."""
    dataset, _, plain = name.partition(SEPARATOR)
    return dataset, plain


def by_dataset(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Data set -> its qualified names, both in the order in which they come."""
    grouped: dict[str, tuple[str, ...]] = {}
    for name in names:
        dataset, _ = unqualified(name)
        grouped[dataset] = (*grouped.get(dataset, ()), name)
    return grouped


def _of_one(data: DataSection, dataset: str) -> DataSection:
    return dataclasses.replace(data, dataset=dataset)


def _unpublished(dataset: str) -> bool:
    return dataset == "imagefolder" or dataset.startswith(("emoji", HUB))
