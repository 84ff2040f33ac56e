"""FedCLIP's objective: CLIP's own, symmetric and contrastive, over the pairs of a batch.

FedCLIP: Fast Generalization and Personalization for CLIP in Federated Learning (Lu et al., IEEE
Data Engineering Bulletin 2023). s_ij is the scaled cosine of image i and the text of image j's
class; L = (CE over j of s_ii + CE over i of s_ii) / 2. Two images of one class are each other's
negatives, as published, so L cannot reach 0 where a class comes twice.
"""

import torch
from torch.nn import functional as F

from fedmvp_core.config.options import NoOptions
from fedmvp_core.local.model import LocalModel
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective


def fedclip(options: NoOptions) -> LossFunction:
    """The mean of both directions."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, logits = model.predict(batch.images)
        pairs = logits[:, batch.labels]  # (batch, batch)
        own = torch.arange(len(pairs), device=pairs.device)
        return Loss((F.cross_entropy(pairs, own) + F.cross_entropy(pairs.T, own)) / 2, {})

    return loss


objective = Objective("fedclip", "FedCLIP (IEEE DEB 2023)", fedclip, several_labels=False, reads=())
