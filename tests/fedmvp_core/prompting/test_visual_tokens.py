"""Free visual tokens, against the image tower written out by hand."""

from collections.abc import Callable

import pytest
import torch
from method_checks import built, encoded
from plain_towers import plain_image_features

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.prompting.visual_tokens import VisualTokens

Make = Callable[..., RunConfig]


@torch.no_grad()
@pytest.mark.parametrize("depth", [1, 6])
def test_tokens_come_after_the_patches(tiny_backbone: Backbone, depth: int) -> None:
    torch.manual_seed(0)
    module = VisualTokens(tiny_backbone.image_width, 3, depth)
    module.tokens.copy_(torch.randn(module.tokens.shape))
    images, task = torch.rand(2, 3, 64, 64), encoded(tiny_backbone, "cat", "dog")
    features = module(tiny_backbone, images, task)
    prompts = {layer: module.tokens[layer] for layer in range(depth)}
    expected = plain_image_features(tiny_backbone, images, prompts)
    expected = expected / expected.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(features.image_features, expected, rtol=0, atol=1e-5)
    assert torch.equal(features.class_features, task.zero_shot_features)


def test_shallow_and_deep(tiny_backbone: Backbone, default_config: Make) -> None:
    shapes = {"": (1, 4), "deep=true": (6, 8), "prompt-length=2": (1, 2)}
    for options, shape in shapes.items():
        module = built(tiny_backbone, default_config(method="fedvpt", method_options=options))
        tokens = module.prompt_tensors()["tokens"]
        assert tokens.shape == (*shape, tiny_backbone.image_width)
        assert float(tokens.std()) == pytest.approx(0.02, rel=0.15)
