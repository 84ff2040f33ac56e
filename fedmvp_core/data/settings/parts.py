"""What the settings are put together from: tested images, evaluations and tasks."""

from collections.abc import Callable, Sequence

from fedmvp_core.attributes.files import Attributes, in_class_order
from fedmvp_core.config import DataSection
from fedmvp_core.data.catalogue import attribute_template, class_template
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings.setting import Evaluation
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.tasks import Task


def tested(dataset: Dataset, data: DataSection) -> ImageSet:
    """The images that `eval-split` chooses.

    Raises:
        ConfigError: the data set has none.
    """
    images = dataset.test if data.eval_split == "test" else dataset.validation
    if len(images) == 0:
        raise ConfigError(
            f"eval-split is '{data.eval_split}', but {dataset.name} has no such images"
        )
    return images


def evaluation(name: str, images: ImageSet, task: Task, dataset: Dataset) -> Evaluation:
    """An evaluation that has images.

    Raises:
        DataError: it has none; its accuracy would be no number.
    """
    if len(images) == 0:
        raise DataError(f"split '{name}' of {dataset.name} has no test images")
    return Evaluation(name, images, task)


def task_maker(
    attributes: Attributes | None, data: DataSection, multi_label: bool
) -> Callable[[Sequence[str]], Task]:
    """A function from class names to their task, with the configured sentences.

    multi_label: whether an image may have several of the classes.
    """

    def make_task(class_names: Sequence[str]) -> Task:
        return Task(
            class_names=tuple(class_names),
            attributes=in_class_order(attributes, class_names),
            template=class_template(data),
            attribute_template=attribute_template(data),
            attribute_weight=data.attribute_weight,
            multi_label=multi_label,
        )

    return make_task


def require_labels(dataset: Dataset, setting: str, several: bool, instead: str) -> None:
    """Refuse a data set whose images have the wrong kind of labels.

    Raises:
        ConfigError: they have one label each and should have several, or the other way round.
    """
    if dataset.train.multi_label != several:
        wanted, given = ("several labels", "one") if several else ("one label each", "several")
        raise ConfigError(
            f"setting '{setting}' needs images with {wanted}, those of {dataset.name} have "
            f"{given}; allowed: {instead}"
        )
