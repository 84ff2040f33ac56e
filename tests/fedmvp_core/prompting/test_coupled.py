"""Deep prompts of both encoders, against towers written out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_image_features, plain_text_features
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, placeholder_sentences
from fedmvp_core.config import RunConfig
from fedmvp_core.data.catalogue import class_words
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.coupled import CoupledOptions, CoupledPrompts, build_coupled
from fedmvp_core.tasks import Task, encode_task
from simulations.plugins.sizes import sized_as

NAMES = ("cat", "dog", "cow")


def made(
    backbone: Backbone,
    config: RunConfig,
    coupling: str,
    names: tuple[str, ...] = NAMES,
    **options: Any,
) -> CoupledPrompts:
    """As a method builds them."""
    chosen = CoupledOptions(coupling=coupling, **options)
    return build_coupled(backbone, chosen, class_words(config.data, names))


def drawn(backbone: Backbone, coupling: str, depth: int = 3) -> CoupledPrompts:
    """Prompts large enough to matter."""
    torch.manual_seed(0)
    widths = backbone.image_width, backbone.text_width
    module = CoupledPrompts(*widths, 2, depth, coupling, placeholders=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return module


def plain_prompts(tensors: dict[str, Tensor], coupling: str, depth: int) -> tuple[dict, dict]:
    """(image prompts, text prompts) by depth, read off the papers for each coupling."""

    def projected(name: str, prompts: Tensor) -> Tensor:
        return prompts @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    image, text = {}, {}
    for layer in range(depth):
        if coupling == "independent":
            image[layer], text[layer] = tensors[f"image.{layer}"], tensors[f"text.{layer}"]
        elif coupling == "text-to-image" or layer == 0:
            text[layer] = tensors[f"text.{layer}"]
            image[layer] = projected(f"to_image.{layer}", text[layer])
        else:
            image[layer] = tensors[f"image.{layer}"]
            text[layer] = projected(f"to_text.{layer}", image[layer])
    return image, text


@pytest.mark.parametrize("coupling", ["text-to-image", "image-to-text", "independent"])
@torch.no_grad()
def test_features_equal_those_of_the_plain_towers(tiny_backbone: Backbone, coupling: str) -> None:
    module = drawn(tiny_backbone, coupling)
    names = ("owl", *NAMES)  # the first was not trained: new classes need nothing of their own
    images = torch.rand(2, 3, 64, 64)
    found = module(tiny_backbone, images, encoded(tiny_backbone, *names))
    seen, read = plain_prompts(module.prompt_tensors(), coupling, depth=3)
    sentences = placeholder_sentences(2, [f"a {name}." for name in names])
    expected = (
        plain_image_features(tiny_backbone, images, seen),
        plain_text_features(tiny_backbone, tiny_backbone.tokenize(sentences), read),
    )
    for got, plain in zip(found[:2], expected, strict=True):
        unit = plain / plain.norm(dim=-1, keepdim=True)
        torch.testing.assert_close(got, unit, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("coupling", "count"),
    [("text-to-image", 3_555_072), ("image-to-text", 3_557_120), ("independent", 23_040)],
)
def test_sizes_at_published_widths(coupling: str, count: int) -> None:
    with torch.device("meta"):
        module = CoupledPrompts(768, 512, length=2, depth=9, coupling=coupling)
    assert sum(parameter.numel() for parameter in module.parameters()) == count


@pytest.mark.parametrize("name", ["ViT-B-16", "ViT-B-32"])
def test_published_backbones_get_nine_layers(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], name: str
) -> None:
    backbone = sized_as(tiny_backbone, name)
    module = made(backbone, default_config(), "independent", prompt_init="random")
    assert sorted(module.text_prompts()) == sorted(module.image_prompts()) == list(range(9))


def test_depth_zero_means_all_that_both_towers_have(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    module = made(tiny_backbone, default_config(), "text-to-image", deep_depth=0)
    assert sorted(module.text_prompts()) == sorted(module.image_prompts()) == [0, 1, 2]
    module = made(tiny_backbone, default_config(), "image-to-text", deep_depth=1)
    assert sorted(module.text_prompts()) == sorted(module.image_prompts()) == [0]


def test_more_depth_than_a_tower_has_is_refused(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(
        ConfigError, match=r"deep-depth is 4; allowed: 1 to 3, the layers that both .* 'tiny' have"
    ):
        made(tiny_backbone, default_config(), "text-to-image", deep_depth=4)


def test_a_sentence_without_room_is_refused_before_training(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(template="a picture of a {class}.")
    with pytest.raises(ConfigError, match="deep-length puts 26 words before"):
        made(tiny_backbone, config, "text-to-image", deep_length=30)


def test_text_is_encoded_once_for_all_images(tiny_backbone: Backbone) -> None:
    module, task = drawn(tiny_backbone, "text-to-image"), encoded(tiny_backbone, *NAMES)
    tiny_backbone.encoded.clear()
    module(tiny_backbone, torch.rand(5, 3, 64, 64), task)
    assert tiny_backbone.encoded == {"sentences": 3, "prompted_images": 5}


@pytest.mark.parametrize("coupling", ["text-to-image", "image-to-text", "independent"])
@pytest.mark.parametrize("template", ["a picture of a {class}.", "{class}"])
@torch.no_grad()
def test_a_frozen_start_leaves_text_as_it_is(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], coupling: str, template: str
) -> None:
    """Prompts that lead start as the frozen states, and so does what one of them is projected to.

    A projection gives all tokens the same start, so a length of 1 is where nothing at all changes.
    """
    length = 2 if coupling == "independent" else 1
    module = made(tiny_backbone, default_config(template=template), coupling, deep_length=length)
    task = Task(NAMES, ((), (), ()), template, "{class} {attribute}")
    found = module.class_features(tiny_backbone, encode_task(tiny_backbone, task, FeatureCache()))
    lead = 0 if template.startswith("a") else length
    sentences = placeholder_sentences(lead, task.class_sentences())
    frozen = tiny_backbone.encode_text(sentences, normalize=True)
    torch.testing.assert_close(found, frozen, rtol=0, atol=1e-5)
    token = tiny_backbone.class_token().expand(length, -1)
    torch.testing.assert_close(module.image_prompts()[0], token)


@torch.no_grad()
def test_image_prompts_start_as_the_class_token_and_what_becomes_of_it(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    """On the blank image itself, replacing them at every depth changes nothing."""
    module = made(tiny_backbone, default_config(), "independent")
    blank, prompts = torch.ones(1, 3, 64, 64), module.image_prompts()
    shallow = tiny_backbone.encode_image(blank, {0: prompts[0]})
    torch.testing.assert_close(
        tiny_backbone.encode_image(blank, prompts), shallow, rtol=0, atol=1e-5
    )


def test_no_data_set_s_class_names_are_replaced_by_prompts(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    """One template begins with the class: then every sentence gets placeholders."""
    sentences = ["banded texture.", "a photo of a pug, a type of pet."]
    for datasets, names, room in (
        ("dtd,oxford_pets", ("dtd/banded", "oxford_pets/pug"), 2),
        ("food101,oxford_pets", ("food101/pie", "oxford_pets/pug"), 0),
    ):
        config = default_config(dataset=datasets, data_dir="somewhere")
        module = made(tiny_backbone, config, "text-to-image", names, deep_length=2)
        expected = tiny_backbone.tokenize(placeholder_sentences(room, sentences))
        assert module.token_ids(tiny_backbone, sentences).equal(expected)
