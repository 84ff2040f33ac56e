"""No prompts at all: the frozen model."""

from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.tasks import EncodedTask


class NoPrompts(Prompting):
    """Zero-shot CLIP with the plain template; it has no prompt tensors."""

    def forward(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Features:
        """images: (batch, 3, height, width), in [0, 1] -> frozen features."""
        features = backbone.encode_image(images)
        return Features(F.normalize(features, dim=-1), task.zero_shot_features)
