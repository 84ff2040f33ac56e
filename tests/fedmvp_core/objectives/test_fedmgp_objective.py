"""FedMGP's objective, pair of groups by pair of groups."""

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
from fedmvp_core.objectives.fedmgp import distance


def test_the_distance_is_the_mean_over_pairs() -> None:
    features = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
    total, pairs = 0.0, 0
    for one in range(4):
        for other in range(one + 1, 4):
            total += float((features[:, one] - features[:, other]).abs().mean())
            pairs += 1
    assert float(distance(features)) == pytest.approx(total / pairs, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0, 5.0])
def test_the_loss_is_cross_entropy_less_the_weighted_distance(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], weight: float
) -> None:
    config = default_config(method="fedmgp", **{"objective.diversity-weight": weight})
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 6)
    images = shard.images.float() / 255
    with torch.no_grad():
        model = LocalModel(tiny_backbone, prompting, shard)
        frozen = shard.frozen_views[0]
        batch = Batch(images, shard.labels, frozen, frozen, images)
        found = find_method(config).loss()(model, batch)
        seen = prompting.seen_by_groups(tiny_backbone, images)  # type: ignore[operator]
        apart = (distance(seen) + distance(model.classes)) / 2
        expected = F.cross_entropy(model.predict(images)[1], shard.labels) - weight * apart
    torch.testing.assert_close(found.value, expected)
    torch.testing.assert_close(found.measured["diversity"], apart)
