"""Settings that train and test on all classes: few-shot, and multi-label."""

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.parts import evaluation, require_labels, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import no_headline

ALL = "all"


def few_shot(dataset: Dataset, data: DataSection, run: RunSection) -> Setting:
    """Train on `shots` images of every class (0: on all of them), test on all classes (CoOp).

    `shot-sampling` says how they are drawn.

    Raises:
        ConfigError: the images have several labels.
    """
    require_labels(dataset, "few-shot", False, "multi-label, zsl, gzsl")
    return _all_classes(dataset, data)


def multi_label(dataset: Dataset, data: DataSection, run: RunSection) -> Setting:
    """Train and test on all labels of images that have several; `mask-rate` hides some of them.

    Raises:
        ConfigError: the images have one label each.
    """
    require_labels(dataset, "multi-label", True, "base-to-new, few-shot")
    return _all_classes(dataset, data)


def _all_classes(dataset: Dataset, data: DataSection) -> Setting:
    make_task = task_maker(attributes_of(data, dataset), data, dataset.train.multi_label)
    task = make_task(dataset.class_names)
    return Setting(
        train=dataset.train,
        validation=dataset.validation,
        evaluations=(evaluation(ALL, tested(dataset, data), task, dataset),),
        local={},
        summary=no_headline,
        make_task=make_task,
    )
