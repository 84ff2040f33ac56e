"""Test-time defences: their formulae, their bounds, and that an attack goes through them."""

import pytest
import torch
from method_checks import encoded
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.defences import check_defence, find_defence, rtpt, ttc
from fedmvp_core.defences.rtpt import reliability, tuned
from fedmvp_core.defences.ttc import RADIUS, STEP, counterattack
from fedmvp_core.errors import AttackError
from fedmvp_core.evaluation import features_function
from fedmvp_core.prompting import Features
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.prompting.text_context import TextContext

DIRECTIONS = torch.randn(8, 3 * 4 * 4, generator=torch.Generator().manual_seed(1))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seen(images: Tensor) -> Tensor:
    """Unit embeddings of a smooth toy encoder: (n, 3, 4, 4) -> (n, 8)."""
    return F.normalize((images.flatten(1) @ DIRECTIONS.T).sin(), dim=-1)


def blind(images: Tensor) -> Tensor:
    """Embeddings that hardly move: every image is taken for adversarial."""
    return F.normalize(1 + 1e-3 * seen(images), dim=-1)


def test_a_counterattack_is_the_weighted_sum_of_signed_steps() -> None:
    images = torch.rand(5, 3, 4, 4, generator=draws(2)) * 0.8 + 0.1  # far from 0 and 1
    found = counterattack(blind, images, draws(3))
    noise = RADIUS * (2 * torch.rand(images.shape, generator=draws(3)) - 1)
    steps, before = [noise], blind(images)
    for _ in range(2):
        change = steps[-1].clone().requires_grad_()
        (blind(images + change) - before).norm(dim=1).sum().backward()
        steps.append((steps[-1] + STEP * change.grad.sign()).clamp(-RADIUS, RADIUS))
    weights = torch.tensor([0.0, 2.0, 4.0]).softmax(0)
    plain = weights[0] * steps[0] + weights[1] * steps[1] + weights[2] * steps[2]
    torch.testing.assert_close(found, plain, atol=1e-6, rtol=0)
    away = (blind(images + found) - before).norm(dim=1)
    assert (away > (blind(images + noise) - before).norm(dim=1)).all()


def test_an_image_that_moves_under_noise_keeps_the_noise_alone() -> None:
    images = torch.rand(5, 3, 4, 4, generator=draws(2))

    def wild(pixels: Tensor) -> Tensor:
        return F.normalize((400 * pixels.flatten(1) @ DIRECTIONS.T).sin(), dim=-1)

    found = counterattack(wild, images, draws(3))
    noise = RADIUS * (2 * torch.rand(images.shape, generator=draws(3)) - 1)
    torch.testing.assert_close(found, (images + noise).clamp(0, 1) - images)


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)])
def test_a_counterattack_stays_inside(images: Tensor) -> None:
    found = counterattack(blind, images, draws())
    assert found.abs().max() <= RADIUS
    assert ((images + found) >= 0).all()
    assert ((images + found) <= 1).all()


def test_the_gradient_goes_through_ttc_as_through_the_changed_image(
    tiny_backbone: Backbone,
) -> None:
    task = encoded(tiny_backbone, "cat", "dog")
    features_of = features_function(tiny_backbone, None, task)
    images = torch.rand(2, 3, 64, 64, generator=draws(4)).requires_grad_()
    guarded = ttc(tiny_backbone, features_of, task, draws(5))(images).image_features[:, 0].sum()
    (through,) = torch.autograd.grad(guarded, images)
    added = counterattack(lambda x: features_of(x).image_features, images.detach(), draws(5))
    changed = (images.detach() + added).requires_grad_()
    (direct,) = torch.autograd.grad(features_of(changed).image_features[:, 0].sum(), changed)
    assert torch.equal(through, direct)
    assert through.abs().max() > 0


def test_rtpt_lowers_the_entropy_of_the_surest_views_by_one_step_of_adamw(
    tiny_backbone: Backbone,
) -> None:
    table = torch.randn(3, 16, generator=draws(1))
    views = F.normalize(torch.randn(64, 16, generator=draws(2)), dim=-1)
    words = torch.randn(4, 16, generator=draws(3))

    def classes(context: Tensor) -> Tensor:
        return F.normalize(table + context.mean(dim=0), dim=-1)

    def loss_of(context: Tensor) -> Tensor:
        chances = (10 * views @ classes(context).T).softmax(-1)
        entropies = -(chances * chances.log()).sum(-1)
        return entropies.sort().values[:6].mean()

    found = tuned(classes, views, words, torch.tensor(10.0))
    leaf = words.clone().requires_grad_()
    loss_of(leaf).backward()
    plain = words * (1 - 0.005 * 0.01) - 0.005 * leaf.grad.sign()  # AdamW's first step
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=0)
    assert loss_of(found) < loss_of(words)


def test_a_view_counts_by_its_twenty_nearest() -> None:
    views = F.normalize(torch.randn(64, 16, generator=draws(2)), dim=-1)
    found = reliability(views)
    nearest = [sorted((float(v @ w) for w in views), reverse=True)[:20] for v in views]
    plain = (torch.tensor([sum(near) / 20 for near in nearest]) / 0.01).softmax(0)
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-3)


def test_rtpt_votes_and_lets_gradients_through(tiny_backbone: Backbone) -> None:
    task = encoded(tiny_backbone, "cat", "dog", "tree")
    features_of = features_function(tiny_backbone, None, task)
    images = torch.rand(2, 3, 64, 64, generator=draws(4)).requires_grad_()
    found = rtpt(tiny_backbone, features_of, task, draws(5))(images)
    assert isinstance(found, Features)
    assert found.class_features.shape[:2] == (2, 3)  # words are tuned for each image
    assert not torch.equal(found.class_features[0], found.class_features[1])
    torch.testing.assert_close(found.logits.exp().sum(dim=-1), torch.ones(2))
    (gradient,) = torch.autograd.grad(found.logits[:, 0].sum(), images)
    assert gradient.abs().amax(dim=(1, 2, 3)).min() > 0


def test_what_a_defence_does_not_fit(tiny_backbone: Backbone) -> None:
    text = TextContext(tiny_backbone.text_width, ("cat", "dog"), 4)
    with pytest.raises(AttackError, match="this run's method has text of its own"):
        check_defence("rtpt", text, False)
    with pytest.raises(AttackError, match="one class an image"):
        check_defence("rtpt", NoPrompts(), True)
    check_defence("ttc", text, True)
    with pytest.raises(AttackError, match="defence is 'tcc'; did you mean ttc"):
        find_defence("tcc")
