"""No prompts at all: the frozen model."""

from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import NoOptions
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask


class NoPrompts(Prompting):
    """Zero-shot CLIP with the plain template; it has no prompt tensors."""

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return F.normalize(backbone.encode_image(images), dim=-1)

    def prompts_images(self) -> bool:
        """No."""
        return False

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the plain template."""
        return task.zero_shot_features

    def prompts_text(self) -> bool:
        """No: the template's sentences stay as they are."""
        return False


def build_none(backbone: Backbone, options: NoOptions, words: ClassWords) -> NoPrompts:
    """Nothing to build."""
    return NoPrompts()
