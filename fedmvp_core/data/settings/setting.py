"""What a setting is: images to train on, and the splits that the result is tested on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings.summaries import Summary
from fedmvp_core.tasks import Task


@dataclass(frozen=True)
class Evaluation:
    """Images to test on, labelled into the task's class names.

    dataset: which they are of, in a federation over several; "" otherwise.
    """

    name: str
    images: ImageSet
    task: Task
    dataset: str = ""


@dataclass(frozen=True)
class Setting:
    """train, validation: what the partition cuts; evaluations: what the server tests on.

    Images are multi-label everywhere or nowhere: `train.multi_label` says which loss and metric.
    local: the images that each client's own classes are tested on, by data set, which is "" where
        there is one alone; empty where this is not measured.
    summary: headlines by name from the values of the splits; clean and robust values both go
        through it.
    warnings: what a run says of its data before it begins.
    """

    train: ImageSet
    validation: ImageSet
    evaluations: tuple[Evaluation, ...]
    local: Mapping[str, ImageSet]
    summary: Summary
    make_task: Callable[[Sequence[str]], Task]
    warnings: tuple[str, ...] = ()


# A rule whose options, if it has some, are bound.
SettingRule: TypeAlias = Callable[[Dataset, DataSection, RunSection], Setting]
