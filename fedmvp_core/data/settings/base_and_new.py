"""base-to-new: train on one half of the classes, test on both (Zhou et al. 2022)."""

import math

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.parts import evaluation, require_labels, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import LOCAL, harmonic_mean_of
from fedmvp_core.errors import ConfigError


def base_to_new(dataset: Dataset, data: DataSection, run: RunSection) -> Setting:
    """Base = the first ceil(n/2) classes in the data set's own order, new = the rest (CoOp).

    Tested on the clients' own classes (local), on all base classes and on the new ones; the
    headline is the harmonic mean of the three (FedMVP, table 1).

    Raises:
        ConfigError: fewer than two classes, or images with several labels.
    """
    require_labels(dataset, "base-to-new", False, "zsl, gzsl")
    names = dataset.class_names
    if len(names) < 2:
        raise ConfigError(
            f"setting 'base-to-new' needs 2 classes or more; {dataset.name} has {len(names)}"
        )
    half = math.ceil(len(names) / 2)
    make_task = task_maker(attributes_of(data, dataset), data, dataset.train.multi_label)
    test = tested(dataset, data)
    base, new = test.of_classes(names[:half]), test.of_classes(names[half:])
    return Setting(
        train=dataset.train.of_classes(names[:half]),
        validation=dataset.validation.of_classes(names[:half]),
        evaluations=(
            evaluation("base", base, make_task(names[:half]), dataset),
            evaluation("new", new, make_task(names[half:]), dataset),
        ),
        local={"": base},
        summary=harmonic_mean_of((LOCAL, "base", "new")),
        make_task=make_task,
    )
