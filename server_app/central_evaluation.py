"""Central evaluation: the splits of the setting, and each client's own classes."""

from collections.abc import Sequence
from statistics import mean

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, cached_image_features
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.data.shards import Shard, local_evaluations
from fedmvp_core.evaluation import correct, predict_probabilities, zero_shot_probabilities
from fedmvp_core.prompting import Prompting
from fedmvp_core.tasks import EncodedTask, encode_task

LOCAL = "local"


class CentralEvaluation:
    """Tests prompt tensors on every split; tasks are encoded and zero-shot is measured once.

    splits: the setting's. local: each client's own classes. tasks: by the split's name.
    """

    def __init__(
        self, backbone: Backbone, setting: Setting, shards: list[Shard], cache: FeatureCache
    ) -> None:
        self._backbone, self._summary = backbone, setting.summary
        self.splits = setting.evaluations
        # A client without test images of its classes cannot be measured.
        self.local = tuple(e for e in local_evaluations(setting, shards) if len(e.images))
        self.tasks: dict[str, EncodedTask] = {
            split.name: encode_task(backbone, split.task, cache)
            for split in (*self.splits, *self.local)
        }
        frozen = {split.name: _frozen(backbone, split.images, cache) for split in self.splits}
        if setting.local is not None:
            # Rows of one set's features: no image is encoded again for the client that it is of.
            features = _frozen(backbone, setting.local, cache)
            for split in self.local:
                rows = _rows_of(setting.local, split.task.class_names).to(features.device)
                frozen[split.name] = features[rows]
        self._zero_shot = {
            split.name: correct(
                zero_shot_probabilities(backbone, self.tasks[split.name], frozen[split.name]),
                split.images.labels,
            )
            for split in (*self.splits, *self.local)
        }

    def zero_shot(self) -> dict[str, float]:
        """Accuracy of the frozen model with the plain template, by split."""
        return self._accuracies(self._zero_shot)

    def __call__(self, prompting: Prompting) -> dict[str, float]:
        """Accuracy by split: clients, local, the setting's splits, and its summary."""
        return self._accuracies(self._all_correct(prompting))

    def by_class(self, prompting: Prompting) -> list[tuple[str, str, int, float, float]]:
        """(split, class, images, zero-shot accuracy, accuracy) for the setting's splits."""
        rows = []
        for split in self.splits:
            tuned, frozen = self._correct(prompting, split), self._zero_shot[split.name]
            for label, name in enumerate(split.task.class_names):
                members = split.images.labels == label
                if members.any():
                    accuracies = _fraction(frozen[members]), _fraction(tuned[members])
                    rows.append((split.name, name, int(members.sum()), *accuracies))
        return rows

    def _all_correct(self, prompting: Prompting) -> dict[str, Tensor]:
        return {
            split.name: self._correct(prompting, split) for split in (*self.splits, *self.local)
        }

    def _correct(self, prompting: Prompting, split: Evaluation) -> Tensor:
        images, labels = split.images.images, split.images.labels
        task = self.tasks[split.name]
        return correct(predict_probabilities(self._backbone, prompting, task, images), labels)

    def _accuracies(self, results: dict[str, Tensor]) -> dict[str, float]:
        return self.with_summary({name: _fraction(result) for name, result in results.items()})

    def with_summary(self, accuracies: dict[str, float]) -> dict[str, float]:
        """Accuracies of splits and clients with `local` and the setting's summary added."""
        accuracies = dict(accuracies)
        if self.local:
            # Every client counts the same, however many test images its classes have.
            accuracies[LOCAL] = mean(accuracies[split.name] for split in self.local)
        summary = self._summary(accuracies)
        if summary is not None:
            accuracies[summary[0]] = summary[1]
        return accuracies


def _frozen(backbone: Backbone, images: ImageSet, cache: FeatureCache) -> Tensor:
    """Unit frozen features of a set, (n, d)."""
    return cached_image_features(backbone, images.images.to(backbone.device), cache)


def _rows_of(images: ImageSet, class_names: Sequence[str]) -> Tensor:
    """Positions of the images of some classes, in the order that ImageSet.of_classes keeps."""
    labels = torch.tensor([images.class_names.index(name) for name in class_names])
    return torch.nonzero(torch.isin(images.labels, labels)).flatten()


def _fraction(hits: Tensor) -> float:
    return hits.to(torch.float64).mean().item()
