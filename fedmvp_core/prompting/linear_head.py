"""A linear classifier on frozen image features: PAFT, adversarial training of a linear probe."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import NoOptions
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import EncodedTask


class LinearHead(Prompting):
    """A row for each trained class, written as an offset to its zero-shot row.

    Zero-shot rows are text features times the logit scale; offsets are in the same units, those of
    logits, so that their gradients are a plain linear layer's and not a hundredfold. They start at
    zero: an untrained head is zero-shot CLIP. A plain linear head has no row for a class that was
    not trained; here such a class keeps its zero-shot one, so that new classes can be told at all.
    There are (trained classes x d) prompt tensor elements.

    Args:
        class_names: the classes that are trained.
    """

    def __init__(self, embed_dim: int, class_names: tuple[str, ...]) -> None:
        super().__init__()
        self.offsets = nn.Parameter(torch.zeros(len(class_names), embed_dim))
        self._rows = {name: row for row, name in enumerate(class_names)}

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return F.normalize(backbone.encode_image(images), dim=-1)

    def prompts_images(self) -> bool:
        """No: they stay as the frozen model sees them."""
        return False

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d): the head's rows over the logit scale, not of unit length once trained."""
        untrained = len(self.offsets)
        rows = [self._rows.get(name, untrained) for name in task.task.class_names]
        known = torch.cat([self.offsets, self.offsets.new_zeros(1, self.offsets.shape[1])])
        return task.zero_shot_features + known[rows] / backbone.logit_scale


def build_linear_head(backbone: Backbone, options: NoOptions, words: ClassWords) -> LinearHead:
    """A head over the trained classes."""
    return LinearHead(backbone.embed_dim, words.names)
