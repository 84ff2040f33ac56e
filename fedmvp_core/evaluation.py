"""Clean evaluation: class probabilities and accuracy."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.tasks import EncodedTask

EVALUATION_BATCH = 256


@torch.no_grad()
def predict_probabilities(
    backbone: Backbone, prompting: Prompting | None, task: EncodedTask, images: Tensor
) -> Tensor:
    """images: (n, 3, size, size) uint8, or float in [0, 1] -> (n, classes) on the CPU.

    prompting None: the frozen model with the plain template.
    """
    rows = []
    for chunk in images.split(EVALUATION_BATCH):
        chunk = chunk.to(backbone.device)
        if prompting is None:
            frozen = F.normalize(backbone.encode_image(chunk), dim=-1)
            features = Features(frozen, task.zero_shot_features)
        else:
            features = prompting(backbone, chunk, task)
        rows.append(features.logits(backbone.logit_scale).softmax(dim=-1).cpu())
    return torch.cat(rows)


@torch.no_grad()
def zero_shot_probabilities(
    backbone: Backbone, task: EncodedTask, frozen_features: Tensor
) -> Tensor:
    """As predict_probabilities without prompting, from unit frozen image features (n, d)."""
    features = Features(frozen_features, task.zero_shot_features)
    return features.logits(backbone.logit_scale).softmax(dim=-1).cpu()


def correct(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(n, classes), (n,) -> (n,) bool: is the most probable class the right one?"""
    return probabilities.argmax(dim=-1) == labels
