"""zsl and gzsl: images with several labels, some of which training never names.

An image that shows anything unseen is not trained on, not even beside something seen, and the
training labels have no column for an unseen class. `label-split` names the classes of both kinds;
a class of the data set in neither takes no part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import option
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.label_masks import (
    LabelSplit,
    default_label_split,
    read_label_split,
    rows_for_training,
)
from fedmvp_core.data.settings.parts import evaluation, require_labels, task_maker, tested
from fedmvp_core.data.settings.setting import Evaluation, Setting
from fedmvp_core.data.settings.summaries import Summary, harmonic_mean_of, no_headline
from fedmvp_core.tasks import Task


@dataclass(frozen=True)
class LabelSplitOptions:
    """Of `zsl` and `gzsl`."""

    label_split: str = option(
        "", "path of a JSON file with the lists seen and unseen; '' = a seeded split"
    )


def zsl(
    dataset: Dataset, data: DataSection, run: RunSection, options: LabelSplitOptions
) -> Setting:
    """Train on the seen labels, rank the unseen ones alone.

    Raises:
        ConfigError: the images have one label each.
        DataError: the label split is not good, or leaves nothing to train or to test on.
    """
    require_labels(dataset, "zsl", True, "base-to-new")
    split = label_split_of(dataset, options, run.seed)
    return _setting(dataset, data, split, {"unseen": split.unseen}, no_headline)


def gzsl(
    dataset: Dataset, data: DataSection, run: RunSection, options: LabelSplitOptions
) -> Setting:
    """Train on the seen labels, rank all of them (all), and the two kinds apart (seen, unseen).

    The headline is the harmonic mean of seen and unseen.

    Raises:
        ConfigError, DataError: as zsl.
    """
    require_labels(dataset, "gzsl", True, "base-to-new")
    split = label_split_of(dataset, options, run.seed)
    kinds = {"seen": split.seen, "unseen": split.unseen, "all": split.seen + split.unseen}
    return _setting(dataset, data, split, kinds, harmonic_mean_of(("seen", "unseen")))


def label_split_of(dataset: Dataset, options: LabelSplitOptions, seed: int) -> LabelSplit:
    """The file of `label-split`, or a seeded split.

    Raises:
        DataError: see label_masks.
    """
    if options.label_split:
        return read_label_split(Path(options.label_split).expanduser(), dataset.class_names)
    return default_label_split(dataset.class_names, seed)


def _setting(
    dataset: Dataset,
    data: DataSection,
    split: LabelSplit,
    kinds: dict[str, tuple[str, ...]],
    summary: Summary,
) -> Setting:
    make_task = task_maker(attributes_of(data, dataset), data, dataset.train.multi_label)
    test = tested(dataset, data)
    return Setting(
        train=_shown_in_training(dataset.train, split),
        validation=_shown_in_training(dataset.validation, split),
        evaluations=tuple(
            _evaluation(name, test, class_names, make_task, dataset)
            for name, class_names in kinds.items()
        ),
        local={},
        summary=summary,
        make_task=make_task,
    )


def _shown_in_training(images: ImageSet, split: LabelSplit) -> ImageSet:
    rows = rows_for_training(images.labels, images.class_names, split)
    return images.select(rows.nonzero().flatten()).of_classes(split.seen)


def _evaluation(
    name: str,
    test: ImageSet,
    class_names: Sequence[str],
    make_task: Callable[[Sequence[str]], Task],
    dataset: Dataset,
) -> Evaluation:
    """Only images that show one of the classes: among none, the best three would all be wrong."""
    labelled = test.of_classes(class_names)
    shown = labelled.select((labelled.labels == 1).any(dim=1).nonzero().flatten())
    return evaluation(name, shown, make_task(class_names), dataset)
