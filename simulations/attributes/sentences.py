"""Whether a backbone's text encoder reads all that a file of phrases makes of its classes."""

from collections.abc import Sequence
from dataclasses import replace

from fedmvp_core.attributes.files import Attributes, in_class_order
from fedmvp_core.backbone import load_tokenizer
from fedmvp_core.config import parse_config
from fedmvp_core.data.catalogue import attribute_template as attribute_template_of
from fedmvp_core.data.catalogue import class_template
from fedmvp_core.sentences import check_sentences
from fedmvp_core.tasks import Task
from simulations.runner.project import default_config


def unread(
    attributes: Attributes,
    names: Sequence[str],
    backbone: str,
    dataset: str,
    template: str,
    attribute_template: str,
) -> list[str]:
    """What is cut of the sentences of the classes `names`, see check_sentences.

    dataset: whose templates are meant by "auto"; "" for the configured default.

    Raises:
        ConfigError: a class name is cut, a template lacks a placeholder, or the backbone is
            unknown.
    """
    keys = {"template": template, "attribute-template": attribute_template}
    data = parse_config({**default_config(), **keys}).data
    data = replace(data, dataset=dataset or data.dataset)
    task = Task(
        class_names=tuple(names),
        attributes=in_class_order(attributes, names),
        template=class_template(data),
        attribute_template=attribute_template_of(data),
    )
    return check_sentences(load_tokenizer(backbone), task.spoken(), len(names))
