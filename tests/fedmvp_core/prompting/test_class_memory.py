"""FedKeep's module: rows of text offsets by class name, and image prompts at every block."""

import math
from typing import Any

import pytest
import torch
from method_checks import encoded
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.class_memory import ClassMemory, ClassMemoryOptions, build_class_memory

TRAINED = ("cat", "dog", "cow")
WORDS = ClassWords(TRAINED, TRAINED, TRAINED, ("{class}",))


def module(backbone: Backbone, **options: Any) -> ClassMemory:
    made = build_class_memory(backbone, ClassMemoryOptions(**options), WORDS)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
    return made


def named(backbone: Backbone, *names: str) -> Tensor:
    sentences = [f"{name}." for name in names]
    return backbone.encode_text(backbone.tokenize(sentences), normalize=True).double()


def slow_class_features(
    made: ClassMemory, backbone: Backbone, names: tuple[str, ...]
) -> list[Tensor]:
    """Row by row, from the formula, in float64."""
    task = encoded(backbone, *names)
    keys = named(backbone, *TRAINED)
    rows = []
    for t, described in zip(named(backbone, *names), task.class_features.double(), strict=True):
        near = [math.exp(-made.options.memory_sharpness * (1 - float(t @ key))) for key in keys]
        whole = max(sum(near), 1.0)
        moved = described.clone()
        for weight, value in zip(near, made.memory.detach().double(), strict=True):
            moved += made.options.memory_rate * (weight / whole) * value
        rows.append(moved / moved.norm() * described.norm())
    return rows


@pytest.mark.parametrize("sharpness", [0.0, 5.0, 50.0])
def test_class_features_are_those_of_the_formula(tiny_backbone: Backbone, sharpness: float) -> None:
    made = module(tiny_backbone, memory_sharpness=sharpness, memory_rate=0.7)
    names = ("owl", "dog", "banjo", "cat")
    found = made.class_features(tiny_backbone, encoded(tiny_backbone, *names)).double()
    expected = torch.stack(slow_class_features(made, tiny_backbone, names))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_an_untrained_memory_is_the_frozen_text(tiny_backbone: Backbone) -> None:
    made = build_class_memory(tiny_backbone, ClassMemoryOptions(), WORDS)
    task = encoded(tiny_backbone, *TRAINED, "owl")
    torch.testing.assert_close(made.class_features(tiny_backbone, task), task.class_features)


def test_a_far_class_stays_where_the_frozen_model_has_it(tiny_backbone: Backbone) -> None:
    made = module(tiny_backbone, memory_sharpness=1e4)
    task = encoded(tiny_backbone, "owl", "dog")
    found = made.class_features(tiny_backbone, task)
    torch.testing.assert_close(found[0], task.class_features[0])
    assert (found[1] - task.class_features[1]).norm() > 0.1


def test_images_see_the_prompts_of_every_block(tiny_backbone: Backbone) -> None:
    made, images = module(tiny_backbone), torch.rand(2, 3, 64, 64)
    task = encoded(tiny_backbone, *TRAINED)
    prompts = {int(layer): tokens for layer, tokens in made.image.items()}
    assert sorted(prompts) == list(range(tiny_backbone.image_layers))
    expected = tiny_backbone.encode_image(images, prompts, normalize=True)
    assert torch.equal(made.image_features(tiny_backbone, images, task), expected)
    made(tiny_backbone, images, task).image_features.sum().backward()
    assert all(tokens.grad is not None and tokens.grad.any() for tokens in made.image.values())


def test_more_blocks_than_there_are_are_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="deep-depth is 99; allowed: 1 to"):
        build_class_memory(tiny_backbone, ClassMemoryOptions(deep_depth=99), WORDS)
