"""A prompt for all clients and one of each client's own, transported to the patches: FedOTP.

Global and Local Prompts Cooperation via Optimal Transport for Federated Learning (Li et al., CVPR
2024). A class has two texts. How much of each belongs to which patch is a partial optimal
transport: the two texts get equal parts, together `transported-share` of the patches' mass.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.prompting.text_context import TextContext
from fedmvp_core.prompting.transport import (
    constant_in_training,
    less_shared,
    transport,
    with_shared,
)
from fedmvp_core.tasks import EncodedTask, Task

TEXTS = 2  # of a class: the global and the local one


@dataclass(frozen=True)
class GlobalLocalOptions:
    """The words, and the transport."""

    context_length: Annotated[int, Between(1, 64)] = option(16, "number of learned words of each")
    transport_epsilon: Annotated[float, Between(0.001, 10)] = option(
        0.1, "weight of the transport's entropy"
    )
    transported_share: Annotated[float, Between(0.01, 1)] = option(
        0.8, "how much of the patches' mass the two texts get"
    )


class GlobalLocalText(Prompting):
    """Two learned contexts of `length` words; the local one never leaves its client.

    At ViT-B/16 with 16 words 8,192 prompt tensor elements are sent, and as many are kept.
    """

    def __init__(
        self, text_width: int, class_names: tuple[str, ...], options: GlobalLocalOptions
    ) -> None:
        super().__init__()
        self.shared = TextContext(text_width, class_names, options.context_length)
        self.own = TextContext(text_width, class_names, options.context_length)
        self._epsilon, self._share = options.transport_epsilon, options.transported_share

    def personal_tensors(self) -> tuple[str, ...]:
        """The local context."""
        return ("own.context",)

    def prompts_images(self) -> bool:
        """No: images stay as the frozen model sees them."""
        return False

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return backbone.encode_image(images, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, 2, d), unit: with the global and with the local words."""
        texts = [part.class_features(backbone, task) for part in (self.shared, self.own)]
        return torch.stack(texts, dim=1)

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError when a class name of the task leaves the words no room."""
        self.shared.check_task(backbone, task)

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """Logits: s * sum_ij T_ij cos(patch_i, text_j) with the plan T of the image and the class.

        With several labels an image, less that of what all classes share.
        """
        seen = backbone.encode_image(images, normalize=True, regions=True)
        texts = with_shared(class_features, asked)
        cosines = torch.einsum("bpd,cjd->bcpj", seen[:, 1:], texts)
        with constant_in_training(images):
            plan = self._plan(cosines)
        scores = backbone.logit_scale * (plan * cosines).sum(dim=(-2, -1))
        classes = F.normalize(class_features.mean(dim=1), dim=-1)
        return Features(seen[:, 0], classes, less_shared(scores, asked))

    def _plan(self, cosines: Tensor) -> Tensor:
        """(batch, classes, patches, 2), whose sum over patches and texts is `transported-share`."""
        patches = cosines.shape[-2]
        rows, columns = cosines.new_ones(patches) / patches, cosines.new_ones(TEXTS) / TEXTS
        return transport(1 - cosines, rows, self._share * columns, self._epsilon, partial=True)


def build_global_local_text(
    backbone: Backbone, options: GlobalLocalOptions, words: ClassWords
) -> GlobalLocalText:
    """The two contexts; raises ConfigError when a class name leaves no room for them."""
    module = GlobalLocalText(backbone.text_width, words.names, options)
    module.shared.token_ids(backbone, words.spoken)
    return module
