"""FedPGP's contrast, written out class by class."""

import math
from collections.abc import Callable

import pytest
import torch
from method_checks import built
from prepared import prepared
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalModel
from fedmvp_core.methods import find_method
from fedmvp_core.objectives import Batch
from fedmvp_core.objectives.fedpgp import shared_text_contrast


def test_the_contrast_is_that_of_each_class_in_turn() -> None:
    draw = torch.Generator().manual_seed(0)
    frozen, shared, own = torch.randn(3, 4, 6, generator=draw)
    total = 0.0
    for row in range(4):
        near = math.exp(float(F.cosine_similarity(shared[row], frozen[row], dim=0)) / 0.5)
        far = math.exp(float(F.cosine_similarity(shared[row], own[row], dim=0)) / 0.5)
        total += -math.log(near / (near + far))
    assert float(shared_text_contrast(frozen, shared, own)) == pytest.approx(total / 4, abs=1e-6)


@pytest.mark.parametrize("mu", [0.0, 1.0, 3.0])
def test_the_loss_is_cross_entropy_and_the_weighted_contrast(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], mu: float
) -> None:
    config = default_config(method="fedpgp", **{"objective.mu": mu})
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 6)
    images = shard.images.float() / 255
    with torch.no_grad():
        model = LocalModel(tiny_backbone, prompting, shard)
        frozen = shard.frozen_views[0]
        batch = Batch(images, shard.labels, frozen, frozen, images)
        found = find_method(config).loss()(model, batch)
        shared = prompting.shared_class_features(tiny_backbone, shard.task)  # type: ignore[operator]
        contrast = shared_text_contrast(shard.task.zero_shot_features, shared, model.classes)
        expected = F.cross_entropy(model.predict(images)[1], shard.labels) + mu * contrast
    torch.testing.assert_close(found.value, expected)
    torch.testing.assert_close(found.measured["contrast"], contrast)
