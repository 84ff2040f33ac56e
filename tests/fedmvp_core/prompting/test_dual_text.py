"""DualCoOp's and PositiveCoOp's logits against loops over images, classes and regions."""

import math

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_text_features
from small_tasks import images_of, several_labels
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.logits import probabilities
from fedmvp_core.prompting.dual_text import DualText, PositiveContext, TwoContexts

TRAINED, NAMES = ("cat", "dog"), ("dog", "owl", "cat")


def plain_logit(patches: Tensor, positive: Tensor, negative: Tensor) -> float:
    present = [20 * float(F.cosine_similarity(p, positive, dim=0)) for p in patches]
    absent = [20 * float(F.cosine_similarity(p, negative, dim=0)) for p in patches]
    total = sum(math.exp(value) for value in present)
    weights = [math.exp(value) / total for value in present]
    pooled = [
        5 * sum(w * v for w, v in zip(weights, values, strict=True)) for values in (present, absent)
    ]
    return pooled[0] - pooled[1]


def text_of(backbone: Backbone, words: Tensor, name: str) -> Tensor:
    tokens = backbone.tokenize(placeholder_sentences(words.shape[0], [f"{name}."]))
    return plain_text_features(backbone, tokens, {0: words})[0]


def check(backbone: Backbone, module: DualText, negatives: list[Tensor]) -> None:
    images, words = images_of(2), module.positive.context
    seen = backbone.encode_image(images, regions=True)
    positives = [text_of(backbone, words, name) for name in NAMES]
    pairs = list(zip(positives, negatives, strict=True))
    expected = torch.tensor([[plain_logit(s[1:], *pair) for pair in pairs] for s in seen])
    for task in (encoded(backbone, *NAMES), several_labels(backbone, *NAMES)):
        features = module(backbone, images, task)
        assert features.logits is not None
        torch.testing.assert_close(features.logits, expected, rtol=0, atol=1e-4)
        unit = F.normalize(seen[:, 0], dim=-1)
        torch.testing.assert_close(features.image_features, unit, rtol=0, atol=1e-5)
        shown = F.normalize(torch.stack(positives), dim=-1)
        torch.testing.assert_close(features.class_features, shown, rtol=0, atol=1e-5)
        found = probabilities(features, task, backbone.logit_scale)
        several = task.task.multi_label
        wanted = expected.sigmoid() if several else expected.softmax(dim=-1)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def test_dualcoop_is_as_plain_loops_have_it(tiny_backbone: Backbone) -> None:
    torch.manual_seed(0)
    module = TwoContexts(tiny_backbone.text_width, TRAINED, 3, class_specific=False)
    for value in module.parameters():
        value.mul_(20)
    negatives = [text_of(tiny_backbone, module.negative.context, name) for name in NAMES]
    check(tiny_backbone, module, negatives)


@torch.no_grad()
def test_positivecoop_is_as_plain_loops_have_it(tiny_backbone: Backbone) -> None:
    torch.manual_seed(0)
    module = PositiveContext(tiny_backbone.text_width, tiny_backbone.embed_dim, TRAINED, 3)
    module.positive.context.mul_(20)
    cat, dog = module.negative
    check(tiny_backbone, module, [dog, (cat + dog) / 2, cat])


@pytest.mark.parametrize("class_specific", [False, True])
def test_words_may_be_of_each_class(class_specific: bool) -> None:
    module = TwoContexts(8, TRAINED, 3, class_specific)
    shape = (2, 3, 8) if class_specific else (3, 8)
    assert [tuple(t.shape) for t in module.prompt_tensors().values()] == [shape, shape]
