"""FedAPT's generator, one prompt and one head at a time, and the towers written out by hand."""

import math

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_image_features, plain_text_features
from small_tasks import images_of
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.label_generator import (
    HEADS,
    LabelGenerator,
    LabelGeneratorOptions,
    build_label_generator,
)

LABELS = ("a cat.", "a dog.", "an eel.", "a fox.")
NAMES = ("dog", "owl")


def module_of(backbone: Backbone) -> LabelGenerator:
    torch.manual_seed(0)
    widths = backbone.text_width, backbone.image_width, backbone.embed_dim
    module = LabelGenerator(*widths, LABELS, length=2, depth=3)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.1 * torch.randn(value.shape))
    return module


def plain_image_prompts(module: LabelGenerator, labels: Tensor) -> dict[int, Tensor]:
    attention, width = module.attention, module.to_image.in_features
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    size, found = width // HEADS, {}
    for depth, prompts in enumerate(module.text):
        rows = []
        for prompt in prompts:
            asked = weights[0] @ prompt + biases[0]
            mixed = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                keys = [(weights[1] @ label + biases[1])[part] for label in labels]
                values = [(weights[2] @ label + biases[2])[part] for label in labels]
                scores = torch.stack([asked[part] @ key / math.sqrt(size) for key in keys])
                shares = scores.exp() / scores.exp().sum()
                mixed.append(sum(s * v for s, v in zip(shares, values, strict=True)))
            out = attention.out_proj
            answer = out.weight @ torch.cat(mixed) + out.bias  # type: ignore[arg-type]
            rows.append(module.to_image.weight @ (prompt + answer) + module.to_image.bias)
        found[depth] = torch.stack(rows)
    return found


@torch.no_grad()
def test_features_are_those_of_a_plain_generator(tiny_backbone: Backbone) -> None:
    module, images = module_of(tiny_backbone), images_of(2)
    found = module(tiny_backbone, images, encoded(tiny_backbone, *NAMES))
    labels = F.normalize(tiny_backbone.encode_text(list(LABELS)), dim=-1)
    seen = plain_image_features(tiny_backbone, images, plain_image_prompts(module, labels))
    sentences = placeholder_sentences(2, [f"{name}." for name in NAMES])
    tokens = tiny_backbone.tokenize(sentences)
    read = plain_text_features(tiny_backbone, tokens, dict(enumerate(module.text)))
    for got, plain in ((found.image_features, seen), (found.class_features, read)):
        torch.testing.assert_close(got, F.normalize(plain, dim=-1), rtol=0, atol=1e-5)
    assert found.logits is None


def test_image_prompts_know_the_labels_of_the_whole_federation(tiny_backbone: Backbone) -> None:
    module = module_of(tiny_backbone)
    other = module_of(tiny_backbone)
    other._label_sentences = LABELS[:2]
    task, images = encoded(tiny_backbone, *NAMES), images_of(1)
    with torch.no_grad():
        found = [m.image_features(tiny_backbone, images, task) for m in (module, other)]
    assert not torch.allclose(*found, atol=1e-4)


def test_labels_are_encoded_once(tiny_backbone: Backbone) -> None:
    module = module_of(tiny_backbone)
    labels = module.label_embedding(tiny_backbone)
    assert labels.shape == (4, tiny_backbone.embed_dim)
    assert not labels.requires_grad
    before = tiny_backbone.encoded["sentences"]
    assert module.label_embedding(tiny_backbone) is labels
    assert tiny_backbone.encoded["sentences"] == before


def test_more_blocks_than_there_are(tiny_backbone: Backbone) -> None:
    words = ClassWords(NAMES, NAMES, LABELS[:2], ("a {class}.",))
    assert len(build_label_generator(tiny_backbone, LabelGeneratorOptions(), words).text) == 3
    with pytest.raises(ConfigError, match="deep-depth is 4; allowed: 1 to 3"):
        build_label_generator(tiny_backbone, LabelGeneratorOptions(deep_depth=4), words)
