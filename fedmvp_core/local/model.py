"""The tuned model as one step of local training sees it."""

from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.logits import class_logits
from fedmvp_core.prompting import Features, Prompting


class LocalModel:
    """A client's model for one step: text is encoded once, however many images are looked at.

    attacked_classes: (attacked classes, d), features of the classes that an attack may aim at.
    classes: (classes, d), those of the client's own classes among them.
    """

    def __init__(self, backbone: Backbone, prompting: Prompting, shard: PreparedShard) -> None:
        self.backbone, self.prompting, self.shard = backbone, prompting, shard
        self.attacked_classes = prompting.class_features(backbone, shard.attack_task)
        self.classes = self.attacked_classes[shard.attack_rows]

    def predict(self, images: Tensor) -> tuple[Features, Tensor]:
        """images: (batch, 3, height, width), in [0, 1] -> features, logits: (batch, classes)."""
        features = Features(self._image_features(images), self.classes)
        return features, class_logits(features, self.shard.task, self.backbone.logit_scale)

    def attacked_logits(self, images: Tensor, class_features: Tensor | None = None) -> Tensor:
        """What an attack looks at: (batch, attacked classes); no gradient reaches text.

        class_features: (attacked classes, d) instead of the tuned ones.
        """
        aimed_at = self.attacked_classes if class_features is None else class_features
        features = Features(self._image_features(images), aimed_at.detach())
        return class_logits(features, self.shard.attack_task, self.backbone.logit_scale)

    def _image_features(self, images: Tensor) -> Tensor:
        # The client's own task, whatever an attack aims at: PromptFormer looks at its attributes.
        return self.prompting.image_features(self.backbone, images, self.shard.task)
