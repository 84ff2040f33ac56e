"""Settings: which images are trained on, and what the result is tested on.

base-to-new  train on the first half of the sorted classes; test on the clients' own classes
             (local), on all of that half (base) and on the unseen half (new); Zhou et al. 2022,
             FedMVP table 1
msst         several source domains, one unseen target domain; FedMVP table 2
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import harmonic_mean
from typing import TypeAlias

from fedmvp_core.attributes.files import Attributes, attributes_of, in_class_order
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.registry import DATASETS, SETTINGS, find
from fedmvp_core.tasks import Task


@dataclass(frozen=True)
class Evaluation:
    """Images to test on, labelled into the task's class names."""

    name: str
    images: ImageSet
    task: Task


@dataclass(frozen=True)
class Setting:
    """train, validation: what the partition cuts; evaluations: what the server tests on.

    local: the images that each client's own classes are tested on (None: not measured).
    summary: the headline from the accuracies of the splits, as (name, value), or None.
    """

    train: ImageSet
    validation: ImageSet
    evaluations: tuple[Evaluation, ...]
    local: ImageSet | None
    summary: Callable[[Mapping[str, float]], tuple[str, float] | None]
    make_task: Callable[[Sequence[str]], Task]


SettingRule: TypeAlias = Callable[[Dataset, RunConfig], Setting]


def load_setting(config: RunConfig, image_size: int) -> Setting:
    """Load the configured data set and cut it as the configured setting says.

    Raises:
        ConfigError: the setting cannot be made of the data set.
        DataError: the data cannot be read, or a split has no images.
    """
    dataset: Dataset = find(DATASETS, config.dataset)(config, image_size)
    rule: SettingRule = find(SETTINGS, config.setting)
    return rule(dataset, config)


def base_to_new(dataset: Dataset, config: RunConfig) -> Setting:
    """Base = the first ceil(n/2) of the sorted class names, new = the rest (CoOp, CoCoOp)."""
    names = dataset.class_names
    if len(names) < 2:
        raise ConfigError(
            f"setting 'base-to-new' needs 2 classes or more; {dataset.name} has {len(names)}"
        )
    half = math.ceil(len(names) / 2)
    make_task = _task_maker(attributes_of(config, dataset), config)
    test = _tested(dataset, config)
    base, new = test.of_classes(names[:half]), test.of_classes(names[half:])
    return Setting(
        train=dataset.train.of_classes(names[:half]),
        validation=dataset.validation.of_classes(names[:half]),
        evaluations=(
            _evaluation("base", base, make_task(names[:half]), dataset),
            _evaluation("new", new, make_task(names[half:]), dataset),
        ),
        local=base,
        summary=_harmonic_mean_of_local_base_new,
        make_task=make_task,
    )


def msst(dataset: Dataset, config: RunConfig) -> Setting:
    """Train on every domain but `target-domain`; test on the sources and on the target."""
    if config.target_domain not in dataset.domains:
        raise ConfigError(
            f"target-domain is '{config.target_domain}'; {dataset.name} has the domains: "
            f"{', '.join(dataset.domains) or 'none'}"
        )
    sources = [domain for domain in dataset.domains if domain != config.target_domain]
    if not sources:
        raise ConfigError(f"setting 'msst' needs 2 domains or more; {dataset.name} has 1")
    make_task = _task_maker(attributes_of(config, dataset), config)
    task, test = make_task(dataset.class_names), _tested(dataset, config)
    return Setting(
        train=dataset.train.of_domains(sources),
        validation=dataset.validation.of_domains(sources),
        evaluations=(
            _evaluation("source", test.of_domains(sources), task, dataset),
            _evaluation("target", test.of_domains([config.target_domain]), task, dataset),
        ),
        local=None,
        summary=lambda accuracies: None,
        make_task=make_task,
    )


def _tested(dataset: Dataset, config: RunConfig) -> ImageSet:
    images = dataset.test if config.eval_split == "test" else dataset.validation
    if len(images) == 0:
        raise ConfigError(
            f"eval-split is '{config.eval_split}', but {dataset.name} has no such images"
        )
    return images


def _evaluation(name: str, images: ImageSet, task: Task, dataset: Dataset) -> Evaluation:
    if len(images) == 0:
        raise DataError(f"split '{name}' of {dataset.name} has no test images")
    return Evaluation(name, images, task)


def _task_maker(
    attributes: Attributes | None, config: RunConfig
) -> Callable[[Sequence[str]], Task]:
    def make_task(class_names: Sequence[str]) -> Task:
        phrases = in_class_order(attributes, class_names)
        return Task(
            class_names=tuple(class_names),
            attributes=phrases,
            template=config.template,
            attribute_template=config.attribute_template,
            attribute_weight=config.attribute_weight,
        )

    return make_task


def _harmonic_mean_of_local_base_new(accuracies: Mapping[str, float]) -> tuple[str, float] | None:
    """FedMVP's HM is three-way: of local, base and new."""
    if "local" not in accuracies:
        return None
    return "harmonic-mean", harmonic_mean([accuracies[name] for name in ("local", "base", "new")])
