"""The prompted forward against open_clip's own and against a plain one written out by hand."""

import pytest
import torch
from plain_towers import plain_image_features, plain_text_features
from torch import Tensor

from fedmvp_core.backbone import Backbone, load_backbone, placeholder_sentences
from fedmvp_core.backbone.forward import checked_prompts

TOLERANCE = 1e-5
SENTENCES = ["a cat", "a drawing of a very long train, which has many red wagons."]


@pytest.mark.parametrize("name", ["tiny", "ViT-B-32", "ViT-B-32-quickgelu", "ViT-B-16"])
def test_without_prompts_equals_open_clip(name: str, generator: torch.Generator) -> None:
    backbone = load_backbone(name)
    images = torch.rand(2, 3, backbone.image_size, backbone.image_size, generator=generator)
    visual = backbone.clip.visual
    mean, std = backbone._config.mean, backbone._config.std
    if name != "tiny":
        assert mean == (0.48145466, 0.4578275, 0.40821073)
        assert std == (0.26862954, 0.26130258, 0.27577711)
    pixels = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    tokens = backbone.tokenize(SENTENCES)
    with torch.no_grad():
        assert_close(backbone.encode_image(images), visual(pixels))
        assert_close(backbone.encode_text(SENTENCES), backbone.clip.encode_text(tokens))
        assert_close(backbone.encode_text(tokens), backbone.clip.encode_text(tokens))
        expected = backbone.clip.encode_image(pixels, normalize=True)
        assert_close(backbone.encode_image(images, normalize=True), expected)


@pytest.mark.parametrize("name", ["tiny", "ViT-B-32"])
def test_regions_equal_open_clips_tokens(
    name: str, generator: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load_backbone(name)
    visual, mean, std = backbone.clip.visual, backbone._config.mean, backbone._config.std
    images = torch.rand(2, 3, backbone.image_size, backbone.image_size, generator=generator)
    pixels = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    monkeypatch.setattr(visual, "output_tokens", True)
    with torch.no_grad():
        pooled, tokens = visual(pixels)
        found = backbone.encode_image(images, regions=True)
        assert_close(found, torch.cat([pooled[:, None], tokens @ visual.proj], dim=1))
        unit = backbone.encode_image(images, regions=True, normalize=True)
        assert_close(unit, found / found.norm(dim=-1, keepdim=True))
        prompts = {0: torch.randn(3, backbone.image_width, generator=generator)}
        prompted = backbone.encode_image(images, prompts, regions=True)
        assert prompted.shape == found.shape
        assert_close(prompted[:, 0], backbone.encode_image(images, prompts))
        assert not torch.allclose(prompted[:, 1:], found[:, 1:], atol=1e-3)


@pytest.mark.parametrize("fixture", ["tiny", "small"])
@pytest.mark.parametrize("depths", [[0], [0, 1, 3], [2], [1, 2]])
@pytest.mark.parametrize("per_image", [False, True])
def test_image_prompts_equal_plain_forward(
    fixture: str,
    depths: list[int],
    per_image: bool,
    request: pytest.FixtureRequest,
    generator: torch.Generator,
) -> None:
    backbone: Backbone = request.getfixturevalue(fixture)
    images = random_images(backbone, 2, generator)
    shape = (2, 3, backbone.image_width) if per_image else (3, backbone.image_width)
    prompts = {depth: torch.randn(shape, generator=generator) for depth in depths}
    with torch.no_grad():
        got = backbone.encode_image(images, prompts)
        assert_close(got, plain_image_features(backbone, images, prompts))
        assert not torch.allclose(got, backbone.encode_image(images), atol=1e-3)


@pytest.mark.parametrize("fixture", ["tiny", "small"])
@pytest.mark.parametrize("depths", [[0], [0, 1, 2], [1]])
@pytest.mark.parametrize("per_sentence", [False, True])
def test_text_prompts_equal_plain_forward(
    fixture: str,
    depths: list[int],
    per_sentence: bool,
    request: pytest.FixtureRequest,
    generator: torch.Generator,
) -> None:
    backbone: Backbone = request.getfixturevalue(fixture)
    sentences = placeholder_sentences(4, SENTENCES)
    shape = (2, 4, backbone.text_width) if per_sentence else (4, backbone.text_width)
    prompts = {depth: torch.randn(shape, generator=generator) for depth in depths}
    with torch.no_grad():
        got = backbone.encode_text(sentences, prompts)
        assert_close(got, plain_text_features(backbone, backbone.tokenize(sentences), prompts))


@pytest.mark.parametrize("numbers", [{0: 5, 1: 2, 2: 3}, {1: 4, 2: 1}])
def test_fewer_deeper_prompts_replace_the_first_ones(
    tiny: Backbone, numbers: dict[int, int], generator: torch.Generator
) -> None:
    images = random_images(tiny, 2, generator)
    seen = {d: torch.randn(k, tiny.image_width, generator=generator) for d, k in numbers.items()}
    read = {d: torch.randn(k, tiny.text_width, generator=generator) for d, k in numbers.items()}
    sentences = placeholder_sentences(5, SENTENCES)
    with torch.no_grad():
        got = tiny.encode_image(images, seen)
        assert_close(got, plain_image_features(tiny, images, seen))
        shallowest = min(numbers)
        assert not torch.allclose(
            got, tiny.encode_image(images, {shallowest: seen[shallowest]}), atol=1e-3
        )
        text = tiny.encode_text(sentences, read)
        assert_close(text, plain_text_features(tiny, tiny.tokenize(sentences), read))


def test_placeholders_take_one_token_each(tiny: Backbone, small: Backbone) -> None:
    for backbone in (tiny, small):
        tokens = backbone.tokenize(["a cat", *placeholder_sentences(4, ["a cat"])])
        ends = tokens.argmax(dim=-1)
        assert ends[1] == ends[0] + 4
        assert tokens[0, 1 : ends[0]].tolist() == tokens[1, 5 : ends[1]].tolist()
        assert len(set(tokens[1, 1:5].tolist())) == 1


def test_gradients_reach_prompts_and_images_only(
    tiny: Backbone, generator: torch.Generator
) -> None:
    images = random_images(tiny, 2, generator).requires_grad_()
    image_prompts = {d: torch.randn(2, tiny.image_width, requires_grad=True) for d in (0, 3)}
    text_prompts = {d: torch.randn(2, tiny.text_width, requires_grad=True) for d in (0, 1)}
    seen = tiny.encode_image(images, image_prompts, normalize=True)
    read = tiny.encode_text(placeholder_sentences(2, SENTENCES), text_prompts, normalize=True)
    (seen * read).sum().backward()
    for tensor in (images, *image_prompts.values(), *text_prompts.values()):
        assert tensor.grad is not None
        assert tensor.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in tiny.parameters())


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({6: torch.zeros(2, 128)}, "at depth 6: this image tower has 6 blocks.*0 to 5"),
        ({-1: torch.zeros(2, 128)}, "at depth -1"),
        ({0: torch.zeros(2, 64)}, r"shape \(2, 64\); expected \(m, 128\) or \(3, m, 128\)"),
        ({0: torch.zeros(2, 2, 128)}, r"shape \(2, 2, 128\)"),
        ({0: torch.zeros(128)}, r"shape \(128,\)"),
        ({0: torch.zeros(2, 128), 2: torch.zeros(4, 128)}, "depth 2 have 4 .* depth 0 have 2"),
        (
            {1: torch.zeros(3, 128), 2: torch.zeros(1, 128), 4: torch.zeros(4, 128)},
            "depth 4 have 4 .* depth 1 have 3: .* 3 at most",
        ),
    ],
)
def test_prompts_that_do_not_fit_are_refused(prompts: dict[int, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_prompts(prompts, "image", layers=6, batch=3, width=128)


def random_images(backbone: Backbone, n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, 3, backbone.image_size, backbone.image_size, generator=generator)


def assert_close(got: Tensor, expected: Tensor) -> None:
    assert got.shape == expected.shape
    assert float((got - expected).abs().max()) <= TOLERANCE
