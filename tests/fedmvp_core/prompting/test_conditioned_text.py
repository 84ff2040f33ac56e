"""FedMPT's module against loops over images, classes, conditions and patches."""

import math

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_text_features
from plain_transport import plain_plan
from small_tasks import images_of, several_labels
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.conditioned_text import (
    ConditionedText,
    ConditionedTextOptions,
    build_conditioned_text,
)

NAMES, CONDITIONS = ("cat", "dog", "owl"), ("color", "scene type")
OPTIONS = ConditionedTextOptions(condition_words=2, class_words=3, adapter_width=4)


def module_of(backbone: Backbone) -> ConditionedText:
    torch.manual_seed(0)
    module = ConditionedText(backbone.text_width, backbone.embed_dim, CONDITIONS, OPTIONS)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.3 * torch.randn(value.shape))
    return module


def plain_texts(backbone: Backbone, module: ConditionedText) -> Tensor:
    """(classes, conditions, d), unit."""
    columns = []
    for condition in CONDITIONS:
        ids = backbone.tokenize([condition])[0]
        words = ids[1 : ids.tolist().index(int(ids.max()))]
        embedded = backbone.clip.token_embedding.weight[words]
        prompts = torch.cat([module.before_condition, embedded, module.before_class])
        sentences = placeholder_sentences(len(prompts), [f"{name}." for name in NAMES])
        features = plain_text_features(backbone, backbone.tokenize(sentences), {0: prompts})
        columns.append(F.normalize(features, dim=-1))
    return torch.stack(columns, dim=1)


def plain_score(module: ConditionedText, seen: Tensor, texts: Tensor) -> float:
    """seen: (1 + patches, d), unit. texts: (conditions, d) of one class."""
    image, patches = seen[0], seen[1:]
    weights = [math.exp(4 * float(patch @ image)) for patch in patches]
    rows = [weight / sum(weights) for weight in weights]
    cosines = [[0.0] * len(texts) for _ in patches]
    for n, text in enumerate(texts):
        first, _, last = module.adapters[n]  # type: ignore[misc]
        for p, patch in enumerate(patches):
            hidden = (first.weight @ patch + first.bias).clamp(min=0)
            moved = patch + last.weight @ hidden + last.bias
            cosines[p][n] = float(F.cosine_similarity(moved, text, dim=0))
    cost = [[1 - value for value in row] for row in cosines]
    even = [1 / len(texts)] * len(texts)
    plan = plain_plan(cost, rows, even, 0.1, partial=False)
    scores = (module.gate.weight @ image + module.gate.bias).exp()
    gate = (scores / scores.sum()).tolist()
    total = 0.0
    for n in range(len(texts)):
        moved_to = [row[n] for row in plan]
        mean = sum(m * row[n] for m, row in zip(moved_to, cosines, strict=True)) * len(texts)
        total += gate[n] * mean
    return total


@torch.no_grad()
def test_logits_are_those_of_plain_loops(tiny_backbone: Backbone) -> None:
    module, images = module_of(tiny_backbone), images_of(2)
    seen = F.normalize(tiny_backbone.encode_image(images, regions=True), dim=-1)
    texts = plain_texts(tiny_backbone, module)
    shared = F.normalize(texts.mean(dim=0), dim=-1)
    each = torch.tensor([[plain_score(module, s, text) for text in texts] for s in seen])
    rest = torch.tensor([[plain_score(module, s, shared)] for s in seen])
    for task, expected in (
        (encoded(tiny_backbone, *NAMES), each),
        (several_labels(tiny_backbone, *NAMES), each - rest),
    ):
        found = module(tiny_backbone, images, task)
        assert found.logits is not None
        scores = found.logits / tiny_backbone.logit_scale
        torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.image_features, seen[:, 0], rtol=0, atol=1e-5)


def test_adapters_start_as_if_they_were_not_there(tiny_backbone: Backbone) -> None:
    width = tiny_backbone.embed_dim
    module = ConditionedText(tiny_backbone.text_width, width, CONDITIONS, OPTIONS)
    patches = torch.randn(2, 5, width)
    assert all(bool((adapter(patches) == 0).all()) for adapter in module.adapters)


@pytest.mark.parametrize("conditions", ["", "color,", "color,color", " , pose"])
def test_conditions_that_are_none(tiny_backbone: Backbone, conditions: str) -> None:
    words = ClassWords(NAMES, NAMES, NAMES, ("a {class}.",))
    options = ConditionedTextOptions(conditions=conditions)
    with pytest.raises(ConfigError, match=f"conditions is '{conditions}'; allowed: different wo"):
        build_conditioned_text(tiny_backbone, options, words)


def test_words_that_leave_a_class_no_room(tiny_backbone: Backbone) -> None:
    words = ClassWords(NAMES, NAMES, NAMES, ("a {class}.",))
    options = ConditionedTextOptions(condition_words=20, class_words=20)
    with pytest.raises(ConfigError, match=r"condition 'color' with .* puts 41 words before 'cat.'"):
        build_conditioned_text(tiny_backbone, options, words)
