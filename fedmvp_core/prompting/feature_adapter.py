"""FedCLIP's adapter: which parts of a frozen image feature count.

FedCLIP: Fast Generalization and Personalization for CLIP in Federated Learning (Lu et al., IEEE
Data Engineering Bulletin 2023). z' = softmax(W2 tanh(W1 z)) * z, on the feature as the encoder
gives it, before it is brought to length 1. Text stays the plain template's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import NoOptions
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask


class FeatureAdapter(Prompting):
    """Two linear layers with biases: 525,312 prompt tensor elements at a joint width of 512."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(embed_dim, embed_dim), nn.Linear(embed_dim, embed_dim)

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        seen = backbone.encode_image(images)
        attention = self.second(torch.tanh(self.first(seen))).softmax(dim=-1)
        return F.normalize(attention * seen, dim=-1)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the plain template."""
        return task.zero_shot_features

    def prompts_text(self) -> bool:
        """No: the template's sentences stay as they are."""
        return False


def build_feature_adapter(
    backbone: Backbone, options: NoOptions, words: ClassWords
) -> FeatureAdapter:
    """An adapter for the backbone's features."""
    return FeatureAdapter(backbone.embed_dim)
