"""A positive and a negative text of each class, compared with every region: DualCoOp.

DualCoOp: Fast Adaptation to Multi-Label Recognition with Limited Annotations (Sun et al., NeurIPS
2022). PositiveCoOp (Rawlekar et al., WACV 2025) learns the negative in feature space instead, one
vector a class. Both were published on the convolutional features of a ResNet; here the regions are
the patches of a ViT, projected as its class token is.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.prompting.text_context import TextContext, TextContextOptions
from fedmvp_core.tasks import EncodedTask, Task

REGION_SCALE = 20.0  # of the cosines, in the softmax over regions too
POOLED_SCALE = 5.0


class DualText(Prompting):
    """What both have in common: a class has a positive and a negative feature.

    A label's logit is positive less negative, each the mean over regions of the scaled cosine,
    weighted by a softmax over the positive's. Its sigmoid is the published softmax over the two.
    Where an image shows one class, the classes are ranked by that logit.
    """

    positive: TextContext

    def prompts_images(self) -> bool:
        """No: images stay as the frozen model sees them."""
        return False

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return backbone.encode_image(images, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, 2, d), unit: positive, negative."""
        pair = (self.positive.class_features(backbone, task), self.negatives(backbone, task))
        return torch.stack(pair, dim=1)

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError when a class name of the task leaves the words no room."""
        self.positive.check_task(backbone, task)

    def negatives(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit."""
        raise NotImplementedError

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """The logits of the class's docstring; features are the image's and the positives."""
        seen = backbone.encode_image(images, normalize=True, regions=True)
        scaled = REGION_SCALE * torch.einsum("bpd,cjd->bcjp", seen[:, 1:], class_features)
        weights = scaled[:, :, :1].softmax(dim=-1)
        positive, negative = (POOLED_SCALE * (weights * scaled).sum(dim=-1)).unbind(dim=-1)
        return Features(seen[:, 0], class_features[:, 0], positive - negative)


class TwoContexts(DualText):
    """Learned words of the positive and of the negative text of a class.

    At ViT-B/16 with 16 words there are 16,384 prompt tensor elements, times the classes if
    class-specific.
    """

    def __init__(
        self, text_width: int, class_names: tuple[str, ...], length: int, class_specific: bool
    ) -> None:
        super().__init__()
        self.positive = TextContext(text_width, class_names, length, class_specific)
        self.negative = TextContext(text_width, class_names, length, class_specific)

    def negatives(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit, through the text encoder."""
        return self.negative.class_features(backbone, task)


class PositiveContext(DualText):
    """Learned words of the positive text, and a learned negative feature of each class.

    A class that was not trained gets the mean of the trained classes' negatives. At ViT-B/16 with
    16 words there are 8,192 prompt tensor elements, and 512 a class.
    """

    def __init__(
        self, text_width: int, embed_dim: int, class_names: tuple[str, ...], length: int
    ) -> None:
        super().__init__()
        self.positive = TextContext(text_width, class_names, length)
        self.negative = nn.Parameter(torch.randn(len(class_names), embed_dim))
        self._rows = {name: row for row, name in enumerate(class_names)}

    def negatives(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), unit."""
        untrained = len(self.negative)
        rows = [self._rows.get(name, untrained) for name in task.task.class_names]
        known = torch.cat([self.negative, self.negative.mean(dim=0, keepdim=True)])
        return F.normalize(known[rows], dim=-1)


@dataclass(frozen=True)
class PositiveContextOptions:
    """How many words."""

    context_length: Annotated[int, Between(1, 64)] = option(16, "number of learned words")


def build_two_contexts(
    backbone: Backbone, options: TextContextOptions, words: ClassWords
) -> TwoContexts:
    """DualCoOp's words; raises ConfigError when a class name leaves no room for them."""
    module = TwoContexts(
        backbone.text_width, words.names, options.context_length, options.class_specific
    )
    module.positive.token_ids(backbone, words.spoken)
    return module


def build_positive_context(
    backbone: Backbone, options: PositiveContextOptions, words: ClassWords
) -> PositiveContext:
    """PositiveCoOp's words and negatives; raises ConfigError when a class name leaves no room."""
    module = PositiveContext(
        backbone.text_width, backbone.embed_dim, words.names, options.context_length
    )
    module.positive.token_ids(backbone, words.spoken)
    return module
