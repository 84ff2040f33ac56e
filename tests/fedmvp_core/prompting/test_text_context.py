"""Learned words in front of class names, against the text tower written out by hand."""

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_text_features
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.prompting.text_context import TextContext

TRAINED = ("cat", "dog", "cow")


def plain(backbone: Backbone, words: Tensor, names: tuple[str, ...]) -> Tensor:
    sentences = placeholder_sentences(words.shape[-2], [f"{name}." for name in names])
    features = plain_text_features(backbone, backbone.tokenize(sentences), {0: words})
    return features / features.norm(dim=-1, keepdim=True)


@torch.no_grad()
def test_one_context_stands_before_every_class_name(tiny_backbone: Backbone) -> None:
    module = TextContext(tiny_backbone.text_width, TRAINED, length=5)
    names = ("dog", "owl", "cat")
    found = module.class_features(tiny_backbone, encoded(tiny_backbone, *names))
    assert module.context.shape == (5, tiny_backbone.text_width)
    expected = plain(tiny_backbone, module.context, names)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_class_has_its_own_words_and_an_untrained_one_the_mean(tiny_backbone: Backbone) -> None:
    module = TextContext(tiny_backbone.text_width, TRAINED, length=2, class_specific=True)
    names = ("cow", "owl", "cat")
    found = module.class_features(tiny_backbone, encoded(tiny_backbone, *names))
    assert module.context.shape == (3, 2, tiny_backbone.text_width)
    own = torch.stack([module.context[2], module.context.mean(dim=0), module.context[0]])
    torch.testing.assert_close(found, plain(tiny_backbone, own, names), rtol=0, atol=1e-5)


def test_images_stay_as_the_frozen_model_sees_them(tiny_backbone: Backbone) -> None:
    module = TextContext(tiny_backbone.text_width, TRAINED, length=2)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found = module(tiny_backbone, images, encoded(tiny_backbone, *TRAINED)).image_features
        expected = F.normalize(tiny_backbone.encode_image(images), dim=-1)
    torch.testing.assert_close(found, expected)


def test_other_words_can_be_tried_without_touching_the_modules_own(
    tiny_backbone: Backbone,
) -> None:
    module = TextContext(tiny_backbone.text_width, TRAINED, length=2)
    task = encoded(tiny_backbone, *TRAINED)
    before = module.context.detach().clone()
    with torch.no_grad():
        found = module.class_features_with(2 * module.context, tiny_backbone, task)
        expected = plain(tiny_backbone, 2 * before, TRAINED)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert torch.equal(module.context, before)


@pytest.mark.parametrize("class_specific", [False, True])
def test_words_start_small_and_random(class_specific: bool) -> None:
    torch.manual_seed(0)
    context = TextContext(512, TRAINED, 16, class_specific).context.detach()
    assert float(context.std()) == pytest.approx(0.02, rel=0.05)
    assert abs(float(context.mean())) < 0.001
