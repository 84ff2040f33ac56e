"""Central evaluation: the splits of the setting, and each client's own classes."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, cached_image_features
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.data.settings.summaries import LOCAL, Summary, of_dataset
from fedmvp_core.data.shards import Shard, local_evaluations
from fedmvp_core.errors import DataError
from fedmvp_core.evaluation import predict_probabilities, zero_shot_probabilities
from fedmvp_core.metrics.measures import (
    MetricFunction,
    by_class,
    measure,
    validation_thresholds,
)
from fedmvp_core.metrics.names import Measured, headline, of_metric
from fedmvp_core.prompting import Prompting
from fedmvp_core.tasks import EncodedTask, Task, encode_task

# What makes two splits the same question, whatever they are called.
Asked: TypeAlias = tuple[Task, Sequence[str]]


def asked(split: Evaluation) -> Asked:
    """Its task and the names of its images: a client may hold all classes of a split."""
    return split.task, split.images.names


class CentralEvaluation:
    """Tests prompt tensors on every split; tasks are encoded and zero-shot is predicted once.

    splits: the setting's. local: each client's own classes. tasks: by the split's name. headline:
    the metric that splits are known by, "accuracy" or "map". more: metrics of plugins, measured
    of the setting's splits. cache: for what does not change from run to run.

    Raises:
        DataError: a split has no positive label at all, or is labelled otherwise than its task.
    """

    def __init__(
        self,
        backbone: Backbone,
        setting: Setting,
        shards: list[Shard],
        cache: FeatureCache,
        more: Sequence[MetricFunction] = (),
    ) -> None:
        self._backbone, self.summary, self._more = backbone, setting.summary, more
        self.cache = cache
        self.headline = headline(setting.train.multi_label)
        self.splits, self.local = tested_splits(setting, shards)
        check_metrics(self.splits, self._more)
        every = (*self.splits, *self.local)
        encoded = {
            task: encode_task(backbone, task, cache)
            for task in dict.fromkeys(split.task for split in every)
        }  # of thousands of clients many are asked the same
        self.tasks: dict[str, EncodedTask] = {split.name: encoded[split.task] for split in every}
        frozen = {split.name: _frozen(backbone, split.images, cache) for split in self.splits}
        for dataset, images in setting.local.items():
            # Rows of one set's features: no image is encoded again for the client that it is of.
            features = _frozen(backbone, images, cache)
            for split in self.local:
                if split.dataset == dataset:
                    rows = _rows_of(images, split.task.class_names).to(features.device)
                    frozen[split.name] = features[rows]
        self._zero_shot = {
            name: zero_shot_probabilities(backbone, self.tasks[name], features)
            for name, features in frozen.items()
        }
        self._validation = _validation(setting)
        if self._validation is not None:
            name = self._validation.name
            self.tasks[name] = encode_task(backbone, self._validation.task, cache)
            features = _frozen(backbone, self._validation.images, cache)
            self._zero_shot[name] = zero_shot_probabilities(backbone, self.tasks[name], features)

    def zero_shot(self) -> Measured:
        """What is measured of the frozen model with the plain template, by split."""
        return self._measured(self._zero_shot)

    def __call__(self, prompting: Prompting, last: bool = False) -> Measured:
        """What is measured of each split; of clients, local and the summary the headline alone.

        last: with several labels an image, choose thresholds on validation images too, which are
        not looked at otherwise.
        """
        chosen_on = (self._validation,) if last and self._validation is not None else ()
        predicted: dict[Asked, Tensor] = {}
        found = {}
        for split in (*self.splits, *self.local, *chosen_on):
            if asked(split) not in predicted:
                predicted[asked(split)] = self._predict(prompting, split)
            found[split.name] = predicted[asked(split)]
        return self._measured(found)

    def by_class(self, prompting: Prompting) -> list[tuple[str, str, int, float, float]]:
        """(split, class, images, zero-shot headline, headline) for the setting's splits."""
        rows = []
        for split in self.splits:
            labels, names = split.images.labels, split.task.class_names
            before = by_class(self._zero_shot[split.name], labels)
            after = by_class(self._predict(prompting, split), labels)
            for name, (count, frozen), (_, tuned) in zip(names, before, after, strict=True):
                if count:
                    rows.append((split.name, name, count, frozen, tuned))
        return rows

    def _predict(self, prompting: Prompting, split: Evaluation) -> Tensor:
        task = self.tasks[split.name]
        return predict_probabilities(self._backbone, prompting, task, split.images.images)

    def _measured(self, probabilities: Mapping[str, Tensor]) -> Measured:
        thresholds = None
        if self._validation is not None and self._validation.name in probabilities:
            thresholds = validation_thresholds(
                probabilities[self._validation.name], self._validation.images.labels
            )
        measured = {
            split.name: measure(
                probabilities[split.name], split.images.labels, thresholds, self._more
            )
            for split in self.splits
        }
        for split in self.local:  # of which there may be hundreds
            found = measure(probabilities[split.name], split.images.labels)
            measured[split.name] = {self.headline: found[self.headline]}
        found = of_metric(measured, self.headline)
        for name, value in with_summary(self.summary, self.local, found).items():
            measured.setdefault(name, {})[self.headline] = value
        return measured


def with_summary(
    summary: Summary, local: Sequence[Evaluation], values: Mapping[str, float]
) -> dict[str, float]:
    """A headline of splits and clients (`local`) with `local` and the setting's summary added.

    Of several data sets `local-<data set>`, for the summary to take the mean of.
    """
    values = dict(values)
    for dataset in dict.fromkeys(split.dataset for split in local):
        # Every client counts the same, however many test images its classes have.
        own = [values[split.name] for split in local if split.dataset == dataset]
        values[of_dataset(LOCAL, dataset)] = mean(own)
    return values | dict(summary(values))


def tested_splits(
    setting: Setting, shards: list[Shard]
) -> tuple[tuple[Evaluation, ...], tuple[Evaluation, ...]]:
    """The setting's splits, and those of clients' own classes that have test images.

    Raises:
        DataError: one of the setting's has no positive label at all, or is labelled otherwise than
            its task.
    """
    for split in setting.evaluations:
        _check(split)
    local = (e for e in local_evaluations(setting, shards) if _is_testable(e.images))
    return tuple(setting.evaluations), tuple(local)


def check_metrics(splits: Sequence[Evaluation], more: Sequence[MetricFunction]) -> None:
    """Measure a guess at each split, so that a metric that cannot be is found before training.

    more: metrics of plugins.

    Raises:
        DataError: two measure the same, or one cannot be measured of a split.
    """
    for split in splits if more else ():
        labels, classes = split.images.labels, len(split.task.class_names)
        measure(torch.full((len(labels), classes), 1 / classes), labels, None, more)


def _check(split: Evaluation) -> None:
    if split.images.multi_label != split.task.multi_label:
        raise DataError(f"split '{split.name}' is labelled for another kind of task than its own")
    if not _is_testable(split.images):
        raise DataError(f"split '{split.name}' has no image with one of its labels")


def _is_testable(images: ImageSet) -> bool:
    return bool(images.class_counts())


def _validation(setting: Setting) -> Evaluation | None:
    """Images to choose thresholds on; None with one class an image, or if they are tested on."""
    images = setting.validation
    tested = {name for split in setting.evaluations for name in split.images.names}
    if not images.multi_label or not _is_testable(images) or tested & set(images.names):
        return None
    return Evaluation("validation", images, setting.make_task(images.class_names))


def _frozen(backbone: Backbone, images: ImageSet, cache: FeatureCache) -> Tensor:
    """Unit frozen features of a set, (n, d)."""
    return cached_image_features(backbone, images.images, cache)


def _rows_of(images: ImageSet, class_names: Sequence[str]) -> Tensor:
    """Positions of the images of some classes, in the order that ImageSet.of_classes keeps."""
    if images.multi_label:
        return torch.arange(len(images))  # of_classes drops columns, not images
    labels = torch.tensor([images.class_names.index(name) for name in class_names])
    return torch.nonzero(torch.isin(images.labels, labels)).flatten()
