"""FedCLIP's adapter, one number at a time."""

import math

import torch
from method_checks import encoded
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting.feature_adapter import FeatureAdapter


def by_hand(module: FeatureAdapter, z: list[float]) -> list[float]:
    def layer(linear: torch.nn.Linear, x: list[float]) -> list[float]:
        rows, biases = linear.weight.tolist(), linear.bias.tolist()
        return [
            sum(w * v for w, v in zip(row, x, strict=True)) + b
            for row, b in zip(rows, biases, strict=True)
        ]

    scores = layer(module.second, [math.tanh(v) for v in layer(module.first, z)])
    total = sum(math.exp(s) for s in scores)
    weighed = [math.exp(s) / total * v for s, v in zip(scores, z, strict=True)]
    length = math.sqrt(sum(v * v for v in weighed))
    return [v / length for v in weighed]


@torch.no_grad()
def test_the_feature_is_weighed_before_it_is_brought_to_length_one(
    tiny_backbone: Backbone,
) -> None:
    torch.manual_seed(0)
    module = FeatureAdapter(tiny_backbone.embed_dim)
    module.second.weight.mul_(10)
    images: Tensor = torch.rand(3, 3, 64, 64)
    task = encoded(tiny_backbone, "cat", "dog")
    found = module(tiny_backbone, images, task)
    frozen = tiny_backbone.encode_image(images)
    expected = torch.tensor([by_hand(module, row.tolist()) for row in frozen])
    torch.testing.assert_close(found.image_features, expected, rtol=0, atol=1e-5)
    assert torch.equal(found.class_features, task.zero_shot_features)
