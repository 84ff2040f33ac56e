"""What a setting is: images to train on, and the splits that the result is tested on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fedmvp_core.config import RunConfig
from fedmvp_core.data.few_shot import coop_few_shot
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings.summaries import Summary
from fedmvp_core.errors import ConfigError
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

    Images are multi-label everywhere or nowhere: `train.multi_label` says which loss and metric.
    local: the images that each client's own classes are tested on (None: not measured).
    summary: the headline from the values of the splits, as (name, value), or None; clean and robust
        values both go through it.
    """

    train: ImageSet
    validation: ImageSet
    evaluations: tuple[Evaluation, ...]
    local: ImageSet | None
    summary: Summary
    make_task: Callable[[Sequence[str]], Task]


SettingRule: TypeAlias = Callable[[Dataset, RunConfig], Setting]


def load_setting(config: RunConfig, image_size: int) -> Setting:
    """Load the configured data set and cut it as the configured setting says.

    Raises:
        ConfigError: the setting cannot be made of the data set.
        DataError: the data cannot be read, or a split has no images.
    """
    dataset: Dataset = find(DATASETS, config.dataset)(config, image_size)
    _check_labels(dataset, config)
    if config.shot_sampling == "coop":
        dataset = coop_few_shot(dataset, config.shots, config.seed)
    rule: SettingRule = find(SETTINGS, config.setting)
    return rule(dataset, config)


def _check_labels(dataset: Dataset, config: RunConfig) -> None:
    """Keys that are for one kind of labels alone."""
    if dataset.train.multi_label and config.shots:
        raise ConfigError(
            f"shots is {config.shots}, but the images of {dataset.name} have several labels; "
            "allowed: 0 (mask-rate hides some of their labels instead)"
        )
    if config.mask_rate and not dataset.train.multi_label:
        raise ConfigError(
            f"mask-rate is {config.mask_rate:g}, but the images of {dataset.name} have one label "
            "each; allowed: 0 (shots leaves some of the images out instead)"
        )
