"""Towers in bfloat16, on the CPU: features, losses and prompt tensors stay float32."""

import copy
from collections.abc import Callable

import pytest
import torch
from method_checks import built, moved_by_one_step
from torch import nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.prompting import FULL
from fedmvp_core.registry import METHODS, find, names_in

Make = Callable[..., RunConfig]
TRAINED = [name for name in names_in(METHODS) if find(METHODS, name).objective is not None]


def lowered(exact: Backbone) -> Backbone:
    """The same model in bfloat16; `load_backbone` refuses it on a CPU, where it is slow."""
    clip = copy.deepcopy(exact.clip)
    return Backbone(clip, exact.tokenizer, exact._config, exact.pretrained, "bf16")


@pytest.fixture(scope="module")
def exact() -> Backbone:
    return load_backbone("tiny", "embedded")


@pytest.fixture(scope="module")
def low(exact: Backbone) -> Backbone:
    return lowered(exact)


def images(count: int = 8) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 64, 64, generator=draw)


def nearness(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(F.cosine_similarity(one.double(), other.double(), dim=-1).min())


def test_weights_are_held_in_bfloat16_and_known_by_their_own_hash(
    exact: Backbone, low: Backbone
) -> None:
    assert {p.dtype for p in low.clip.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in exact.clip.parameters()} == {torch.float32}
    assert low.weights_hash == exact.weights_hash
    assert low.logit_scale.dtype == torch.float32
    assert torch.equal(low.logit_scale, exact.logit_scale)


def test_features_are_float32_and_near_those_of_float32(exact: Backbone, low: Backbone) -> None:
    prompts = 0.1 * torch.randn(4, 128, generator=torch.Generator().manual_seed(1))
    deep = {0: prompts, 2: prompts}
    sentences = ["a picture of a cat.", "a picture of an old red bus, large."]
    for got, expected in (
        (low.embed_patches(images()), exact.embed_patches(images())),
        (low.encode_image(images()), exact.encode_image(images())),
        (low.encode_image(images(), deep), exact.encode_image(images(), deep)),
        (low.encode_image(images(), regions=True), exact.encode_image(images(), regions=True)),
        (low.encode_text(sentences), exact.encode_text(sentences)),
        (low.class_token(), exact.class_token()),
    ):
        assert got.dtype == torch.float32
        assert nearness(got, expected) > 0.999


def test_an_autocast_around_the_towers_changes_nothing(low: Backbone) -> None:
    alone = low.encode_image(images())
    with low.autocast():
        assert torch.equal(low.encode_image(images()), alone)


def test_gradients_of_prompts_and_images_are_float32_and_point_the_same_way(
    exact: Backbone, low: Backbone
) -> None:
    found = []
    for backbone in (exact, low):
        prompts = nn.Parameter(torch.full((4, 128), 0.05))
        pixels = images().requires_grad_()
        target = torch.linspace(-1, 1, backbone.embed_dim)
        (backbone.encode_image(pixels, {0: prompts}, normalize=True) @ target).sum().backward()
        assert prompts.grad is not None
        assert pixels.grad is not None
        assert prompts.grad.dtype == pixels.grad.dtype == torch.float32
        found.append((prompts.grad.flatten(), pixels.grad.flatten()))
    for expected, got in zip(*found, strict=True):
        assert nearness(got, expected) > 0.97
    assert not any(p.requires_grad for p in low.clip.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_every_method_takes_a_step(low: Backbone, default_config: Make, name: str) -> None:
    config = default_config(method=name)
    prompting = built(low, config)
    assert {p.dtype for p in prompting.parameters()} == {torch.float32}
    moved = moved_by_one_step(low, config)
    assert moved
    assert moved <= set(prompting.phase_tensors(FULL))
