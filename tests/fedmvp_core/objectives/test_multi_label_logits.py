"""Logits whose zero means "not there": DualCoOp's two-way softmax, with a shared negative."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import load_backbone
from fedmvp_core.data.emoji import scenes as emojiscenes
from fedmvp_core.logits import label_logits, shared_direction
from fedmvp_core.metrics.multi_label import mean_average_precision, precision_recall


def unit(rows: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, 8, generator=draw, dtype=torch.float64), dim=-1)


def test_it_is_the_softmax_over_a_positive_and_a_negative() -> None:
    images, positive, negative = unit(5, 0), unit(3, 1), unit(3, 2)
    found = label_logits(images, positive, 20.0, negative).sigmoid()
    for i in range(5):
        for c in range(3):
            pair = 20 * torch.stack([images[i] @ positive[c], images[i] @ negative[c]])
            assert float(found[i, c]) == pytest.approx(float(pair.softmax(0)[0]))


def test_one_negative_for_all_keeps_the_order_of_an_images_classes() -> None:
    images, classes = unit(5, 0), unit(6, 1)
    order = (images @ classes.T).argsort(dim=1)
    assert torch.equal(label_logits(images, classes, 20.0).argsort(dim=1), order)
    alone = label_logits(images, classes, 20.0, unit(1, 2))
    assert torch.equal(alone.argsort(dim=1), order)


def test_the_plain_mean_centres_cosines() -> None:
    images, classes = unit(5, 0), unit(6, 1)
    found = label_logits(images, classes, 20.0, classes.mean(dim=0, keepdim=True))
    cosines = images @ classes.T
    torch.testing.assert_close(found, 20 * (cosines - cosines.mean(dim=1, keepdim=True)))


def test_the_shared_direction() -> None:
    classes = torch.tensor([[0.6, 0.8, 0.0], [0.6, -0.8, 0.0], [0.6, 0.0, 0.8], [0.6, 0.0, -0.8]])
    torch.testing.assert_close(shared_direction(classes), torch.tensor([[1.0, 0.0, 0.0]]))
    # an image of class 0 alone: cosine 1 with it, 0.6 with what is shared, 0.36 with the others
    found = label_logits(classes[:1], classes, 10.0)
    torch.testing.assert_close(found, torch.tensor([[4.0, -8.8, -2.4, -2.4]]))


def test_gradients_reach_all_features() -> None:
    inputs = [unit(2, 0), unit(3, 1), unit(1, 2)]
    for given in (inputs[:2], inputs):
        asked = [features.requires_grad_() for features in given]
        assert torch.autograd.gradcheck(lambda i, c, *n: label_logits(i, c, 20.0, *n), asked)


def test_zero_shot_predictions_are_neither_all_nor_none() -> None:
    """The tiny CLIP on EmojiScenes: plain cosines predict 60 of 72 labels, these about 23."""
    backbone = load_backbone("tiny", "embedded")
    scenes = emojiscenes.scenes(emojiscenes.single_things().test, "test", 200, 1, 64)
    sentences = [f"a picture of a {name}." for name in scenes.class_names]
    with torch.no_grad():
        images = backbone.encode_image(scenes.images, normalize=True)
        classes = backbone.encode_text(backbone.tokenize(sentences), normalize=True)
        scale = backbone.logit_scale
        plain, found = scale * images @ classes.T, label_logits(images, classes, scale)
    assert float((plain > 0).sum(dim=1).float().mean()) > 54
    assert 15 < float((found > 0).sum(dim=1).float().mean()) < 30
    measured = precision_recall(found.sigmoid(), scenes.labels)
    before = precision_recall(plain.sigmoid(), scenes.labels)
    assert measured.cf1 > before.cf1
    assert measured.of1 > before.of1
    # 2.4 of 72 labels are there: chance is 0.034
    assert mean_average_precision(found, scenes.labels).value > 0.06
