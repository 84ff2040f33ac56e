"""What PAFT trains, written out: a linear head on frozen features, and its gradient."""

import torch
from prepared import NAMES
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.local.shard import PreparedShard


class PlainHead:
    """Cross-entropy of one client's images, in float64 and without autograd."""

    def __init__(self, backbone: Backbone, shard: PreparedShard) -> None:
        self.features = shard.frozen_views[0].double()
        scale = backbone.logit_scale.double()
        self.frozen = scale * self.features @ shard.task.zero_shot_features.double().T
        self.right = torch.eye(len(NAMES), dtype=torch.float64)[shard.labels]

    def gradient(self, offsets: Tensor) -> Tensor:
        """Of the mean cross-entropy, at offsets: (classes, d), of that shape."""
        logits = self.frozen + self.features @ offsets.T
        return (logits.softmax(dim=-1) - self.right).T @ self.features / len(self.right)
