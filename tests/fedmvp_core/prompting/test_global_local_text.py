"""FedOTP's module against loops over images, classes, patches and texts."""

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_text_features
from plain_transport import plain_plan
from small_tasks import images_of, several_labels
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.prompting.global_local_text import GlobalLocalOptions, GlobalLocalText

NAMES = ("cat", "dog", "owl")


def module_of(backbone: Backbone, share: float = 0.8, epsilon: float = 0.1) -> GlobalLocalText:
    torch.manual_seed(0)
    options = GlobalLocalOptions(3, epsilon, share)
    module = GlobalLocalText(backbone.text_width, NAMES[:2], options)
    with torch.no_grad():
        for context in (module.shared.context, module.own.context):
            context.mul_(20)
    return module


def texts_of(backbone: Backbone, module: GlobalLocalText) -> list[Tensor]:
    """By class the two unit texts, (2, d)."""
    tokens = backbone.tokenize(placeholder_sentences(3, [f"{name}." for name in NAMES]))
    both = [
        F.normalize(plain_text_features(backbone, tokens, {0: context}), dim=-1)
        for context in (module.shared.context, module.own.context)
    ]
    return list(torch.stack(both, dim=1))


def plain_score(patches: Tensor, texts: Tensor, share: float, epsilon: float) -> float:
    cosines = [[float(F.cosine_similarity(p, t, dim=0)) for t in texts] for p in patches]
    cost = [[1 - value for value in row] for row in cosines]
    rows = [1 / len(cost)] * len(cost)
    plan = plain_plan(cost, rows, [share / 2] * 2, epsilon, partial=True)
    return sum(plan[i][j] * cosines[i][j] for i in range(len(cost)) for j in range(2))


@pytest.mark.parametrize(("share", "epsilon"), [(0.8, 0.1), (1.0, 0.05), (0.3, 0.5)])
@torch.no_grad()
def test_logits_are_those_of_plain_loops(
    tiny_backbone: Backbone, share: float, epsilon: float
) -> None:
    module, images = module_of(tiny_backbone, share, epsilon), images_of(2)
    found = module(tiny_backbone, images, encoded(tiny_backbone, *NAMES))
    seen, texts = tiny_backbone.encode_image(images, regions=True), texts_of(tiny_backbone, module)
    scores = [[plain_score(s[1:], text, share, epsilon) for text in texts] for s in seen]
    assert found.logits is not None
    found_scores = found.logits / tiny_backbone.logit_scale
    torch.testing.assert_close(found_scores, torch.tensor(scores), rtol=0, atol=1e-5)
    unit = F.normalize(seen[:, 0], dim=-1)
    torch.testing.assert_close(found.image_features, unit, rtol=0, atol=1e-5)


@torch.no_grad()
def test_labels_are_measured_against_what_classes_share(tiny_backbone: Backbone) -> None:
    module, images = module_of(tiny_backbone), images_of(1)
    found = module(tiny_backbone, images, several_labels(tiny_backbone, *NAMES))
    seen, texts = tiny_backbone.encode_image(images, regions=True), texts_of(tiny_backbone, module)
    shared = F.normalize(torch.stack(texts).mean(dim=0), dim=-1)
    patches = seen[0, 1:]
    rest = plain_score(patches, shared, 0.8, 0.1)
    scores = [plain_score(patches, text, 0.8, 0.1) - rest for text in texts]
    assert found.logits is not None
    found_scores = found.logits[0] / tiny_backbone.logit_scale
    torch.testing.assert_close(found_scores, torch.tensor(scores), rtol=0, atol=1e-5)


def test_the_plan_is_constant_in_training_and_seen_by_attacks(tiny_backbone: Backbone) -> None:
    module, task = module_of(tiny_backbone), encoded(tiny_backbone, *NAMES)
    images = images_of(1)

    def slope(moved: Tensor) -> Tensor:
        logits = module(tiny_backbone, moved, task).logits
        assert logits is not None
        return logits[0, 0] - logits[0, 1]

    moved = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(slope(moved), moved)
    step = 1e-3 * gradient / gradient.abs().max()
    with torch.no_grad():
        found = slope(images + step) - slope(images - step)
    expected = 2 * (gradient * step).sum()
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0)


def test_each_context_is_of_its_own_kind(tiny_backbone: Backbone) -> None:
    module = module_of(tiny_backbone)
    assert set(module.prompt_tensors()) == {"shared.context", "own.context"}
    assert module.personal_tensors() == ("own.context",)
