"""The tuned model as one step of local training sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.logits import class_logits
from fedmvp_core.losses.classification import classification_loss
from fedmvp_core.prompting import FULL, Features, Prompting
from fedmvp_core.tasks import EncodedTask


@dataclass(frozen=True)
class LocalRound:
    """What holds for all steps of a client's round.

    number: of the round, from 1. phase: the one that the client trains in. received: the prompt
    tensors as they came from the server, by name, on the backbone's device. exchanged, kept:
    tensors of client terms, by term and name; see terms/term.py. momentum: SGD's buffers of the
    client's last round, by prompt tensor; {}: it begins without. multi_label_loss: the run's.
    strategy_config: what a plugin's strategy tells clients in this round.
    """

    number: int = 1
    phase: str = FULL
    received: Mapping[str, Tensor] = field(default_factory=dict)
    exchanged: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    kept: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    momentum: Mapping[str, Tensor] = field(default_factory=dict)
    multi_label_loss: str = "asl"
    strategy_config: Mapping[str, bool | int | float | str] = field(default_factory=dict)


class LocalModel:
    """A client's model for one step: text is encoded once, however many images are looked at.

    This is what an objective, an attack in training or a client term sees: `predict`, the
    prompting, the shard, and the round with the tensors that were received.

    attacked_classes: (attacked classes, d), features of the classes that an attack may aim at, as
    the prompting's `class_features` makes them. classes: (classes, d), those of the client's own
    classes among them.
    """

    def __init__(
        self,
        backbone: Backbone,
        prompting: Prompting,
        shard: PreparedShard,
        round: LocalRound | None = None,
    ) -> None:
        self.backbone, self.prompting, self.shard = backbone, prompting, shard
        self.round = round or LocalRound()
        self.attacked_classes = prompting.class_features(backbone, shard.attack_task)
        if prompting.reads_class_set and shard.attack_task is not shard.task:
            self.classes = prompting.class_features(backbone, shard.task)
        else:
            self.classes = self.attacked_classes[shard.attack_rows]

    @property
    def received(self) -> Mapping[str, Tensor]:
        """The prompt tensors as they came from the server, by name."""
        return self.round.received

    def trained(self) -> dict[str, Tensor]:
        """The prompt tensors that this round trains, by name, with their graph."""
        return {n: p for n, p in self.prompting.named_parameters() if p.requires_grad}

    def class_counts(self) -> Tensor:
        """(classes,) int64: how many of the client's images show each of its classes."""
        labels = self.shard.labels
        if labels.ndim == 2:
            return (labels == 1).sum(dim=0)
        return torch.bincount(labels, minlength=len(self.shard.task.task.class_names))

    def predict(self, images: Tensor) -> tuple[Features, Tensor]:
        """images: (batch, 3, height, width), in [0, 1] -> features, logits: (batch, classes)."""
        features = self._recognised(images, self.classes, self.shard.task)
        return features, class_logits(features, self.shard.task, self.backbone.logit_scale)

    def frozen_logits(self, images: Tensor) -> Tensor:
        """(batch, classes) of the frozen model and the plain template, without a graph."""
        task = self.shard.task
        with torch.no_grad():
            seen = F.normalize(self.backbone.encode_image(images), dim=-1)
            features = Features(seen, task.zero_shot_features)
            return class_logits(features, task, self.backbone.logit_scale)

    def classification_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, or the run's `multi-label-loss`, averaged over the images: a scalar."""
        return classification_loss(logits, labels, self.round.multi_label_loss)

    def attacked_logits(self, images: Tensor, class_features: Tensor | None = None) -> Tensor:
        """What an attack looks at: (batch, attacked classes); no gradient reaches text, but for
        text that is made for an image, through which it goes on to that image.

        class_features: (attacked classes, d) instead of the tuned ones.
        """
        aimed_at = self.attacked_classes if class_features is None else class_features
        features = self._recognised(images, aimed_at.detach(), self.shard.attack_task)
        return class_logits(features, self.shard.attack_task, self.backbone.logit_scale)

    def _recognised(self, images: Tensor, class_features: Tensor, asked: EncodedTask) -> Features:
        # The client's own task, whatever an attack aims at: PromptFormer looks at its attributes.
        own = self.shard.task
        return self.prompting.recognise(self.backbone, images, own, class_features, asked)
