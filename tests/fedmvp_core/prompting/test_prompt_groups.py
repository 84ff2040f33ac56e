"""FedMGP's groups: one group at a time by the plain towers, and which are handed over."""

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_image_features, plain_text_features
from small_tasks import images_of, several_labels
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.prompt_groups import (
    PromptGroups,
    PromptGroupsOptions,
    build_prompt_groups,
)

NAMES = ("dog", "owl", "cat")


def module_of(text_width: int, image_width: int, groups: int = 4) -> PromptGroups:
    torch.manual_seed(0)
    module = PromptGroups(text_width, image_width, PromptGroupsOptions(groups, 2, 3))
    with torch.no_grad():
        for value in module.parameters():
            value.mul_(20)
    return module


def plain_groups(
    backbone: Backbone, module: PromptGroups, images: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """By group the unit features of images (batch, d) and of classes (classes, d)."""
    sentences = placeholder_sentences(3, [f"{name}." for name in NAMES])
    tokens = backbone.tokenize(sentences)
    seen, read = [], []
    for own in (*module.shared_image, *module.own_image):
        seen.append(F.normalize(plain_image_features(backbone, images, {0: own}), dim=-1))
    for own in (*module.shared_text, *module.own_text):
        read.append(F.normalize(plain_text_features(backbone, tokens, {0: own}), dim=-1))
    return seen, read


@torch.no_grad()
def test_logits_are_the_mean_over_groups(tiny_backbone: Backbone) -> None:
    module = module_of(tiny_backbone.text_width, tiny_backbone.image_width)
    images, scale = images_of(2), tiny_backbone.logit_scale
    seen, read = plain_groups(tiny_backbone, module, images)
    each = [z @ t.T for z, t in zip(seen, read, strict=True)]
    shared = [F.normalize(t.mean(dim=0, keepdim=True), dim=-1) for t in read]
    less = [s - z @ n.T for s, z, n in zip(each, seen, shared, strict=True)]
    for task, cosines in (
        (encoded(tiny_backbone, *NAMES), each),
        (several_labels(tiny_backbone, *NAMES), less),
    ):
        features = module(tiny_backbone, images, task)
        assert features.logits is not None
        expected = torch.stack(cosines).mean(dim=0)
        torch.testing.assert_close(features.logits / scale, expected, rtol=0, atol=1e-5)
    for found, parts in ((features.image_features, seen), (features.class_features, read)):
        mean = F.normalize(torch.stack(parts).mean(dim=0), dim=-1)
        torch.testing.assert_close(found, mean, rtol=0, atol=1e-5)


@torch.no_grad()
def plain_nearness(module: PromptGroups, received: dict[str, Tensor]) -> list[float]:
    found = []
    for text, image in zip(module.text_groups(), module.image_groups(), strict=True):
        cosines = []
        for row in range(2):
            pairs = (text, received["shared_text"][row]), (image, received["shared_image"][row])
            cosines.append(
                sum(float(F.cosine_similarity(a.flatten(), b.flatten(), dim=0)) for a, b in pairs)
            )
        found.append(max(cosines) / 2)
    return found


def test_groups_are_drawn_by_their_nearness_and_none_is_lost() -> None:
    received = module_of(8, 6).prompt_tensors()
    nearest = plain_nearness(module_of(8, 6), received)
    assert nearest[:2] == [pytest.approx(1), pytest.approx(1)]
    shares = torch.tensor(nearest).softmax(dim=0)
    first = [0] * 4
    for seed in range(600):
        module = module_of(8, 6)
        before = list(zip(module.text_groups(), module.image_groups(), strict=True))
        module.hand_over(received, torch.Generator().manual_seed(seed))
        after = list(zip(module.text_groups(), module.image_groups(), strict=True))
        places = [
            next(i for i, pair in enumerate(before) if all(map(torch.equal, pair, moved)))
            for moved in after
        ]
        assert sorted(places) == [0, 1, 2, 3]  # pairs of text and image stay together
        assert places[2] < places[3]
        first[places[0]] += 1
    found = torch.tensor(first) / 600
    torch.testing.assert_close(found, shares, rtol=0, atol=0.06)


def test_a_draw_depends_on_its_generator_alone() -> None:
    drawn = []
    for seed in (1, 1, 2, 3, 4, 5):
        module = module_of(8, 6)
        module.hand_over({}, torch.Generator().manual_seed(seed))
        drawn.append(module.shared_text.detach())
    assert torch.equal(drawn[0], drawn[1])
    assert any(not torch.equal(drawn[0], other) for other in drawn[2:])


def test_handing_over_changes_no_prediction(tiny_backbone: Backbone) -> None:
    module = module_of(tiny_backbone.text_width, tiny_backbone.image_width)
    task, images = encoded(tiny_backbone, *NAMES), images_of(2)
    with torch.no_grad():
        before = module(tiny_backbone, images, task).logits
        module.hand_over({}, torch.Generator().manual_seed(1))
        after = module(tiny_backbone, images, task).logits
    assert before is not None
    assert after is not None
    torch.testing.assert_close(before, after, rtol=0, atol=1e-4)


def test_a_group_must_stay(tiny_backbone: Backbone) -> None:
    words = ClassWords(NAMES, NAMES, NAMES, ("a {class}.",))
    options = PromptGroupsOptions(groups=3, sent_groups=3)
    with pytest.raises(ConfigError, match="sent-groups is 3; allowed: 1 to 2, fewer than the 3 gr"):
        build_prompt_groups(tiny_backbone, options, words)
