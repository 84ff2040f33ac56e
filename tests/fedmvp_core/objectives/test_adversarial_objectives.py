"""The adversarial objectives: their formulae by hand, their ends, their gradients."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from predicting_model import PredictingModel
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.config.options import NoOptions
from fedmvp_core.logits import cosine_logits
from fedmvp_core.losses.classification import divergence
from fedmvp_core.objectives import Batch, LossFunction
from fedmvp_core.objectives.adversarial import adversarial
from fedmvp_core.objectives.capt import CAPTOptions, alpha_cons, capt
from fedmvp_core.objectives.fap import fap
from fedmvp_core.objectives.fedmvp import FedMVPObjectiveOptions, fedmvp
from fedmvp_core.objectives.fedmvp_capt import FedMVPCAPTOptions, fedmvp_capt
from fedmvp_core.objectives.trades import TradesOptions, trades
from fedmvp_core.prompting import Features

CLASSES = 4
SCALE = torch.tensor(5.0, dtype=torch.float64)


def random_batch(images: int = 6) -> Batch:
    draw = torch.Generator().manual_seed(3)

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=draw, dtype=torch.float64)

    clean = rand(images, 3, 2, 2)
    return Batch(
        images=clean,
        labels=torch.randint(CLASSES, (images,), generator=draw),
        frozen_features=F.normalize(rand(images, 5) - 0.5, dim=-1),
        frozen_logits=8 * rand(images, CLASSES),
        adversarial=(clean + 0.1 * (rand(*clean.shape) - 0.5)).clamp(0, 1),
    )


def predictor(weights: Tensor, classes: Tensor) -> Callable[[Tensor], tuple[Features, Tensor]]:
    """Stands for a prompted CLIP: a smooth map from pixels to unit features."""

    def predict(images: Tensor) -> tuple[Features, Tensor]:
        features = Features(F.normalize(torch.tanh(images.flatten(1) @ weights), dim=-1), classes)
        return features, cosine_logits(features, SCALE)

    return predict


def model() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(12, 5, generator=draw, dtype=torch.float64)
    classes = F.normalize(torch.randn(CLASSES, 5, generator=draw, dtype=torch.float64), dim=-1)
    return weights, classes


def value(loss: LossFunction, batch: Batch) -> float:
    return loss(PredictingModel(predictor(*model())), batch).value.item()


def scores(images: Tensor) -> Tensor:
    return predictor(*model())(images)[1]


def kl_by_hand(target: Tensor, found: Tensor) -> list[float]:
    p, q = target.softmax(-1).tolist(), found.softmax(-1).tolist()
    return [
        sum(a * math.log(a / b) for a, b in zip(x, y, strict=True))
        for x, y in zip(p, q, strict=True)
    ]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


OBJECTIVES: dict[str, LossFunction] = {
    "adversarial": adversarial(NoOptions()),
    "trades": trades(TradesOptions(beta=6.0)),
    "fap": fap(NoOptions()),
    "fedmvp": fedmvp(FedMVPObjectiveOptions(alpha=10.0)),
    **{
        f"{name} {strategy} {per}": make(
            options(alpha_cons=strategy, alpha_cons_per=per, capt_weight=2.0)
        )
        for name, make, options in (
            ("capt", capt, CAPTOptions),
            ("fedmvp-capt", fedmvp_capt, FedMVPCAPTOptions),
        )
        for strategy in ("constant", "ce-ratio", "confidence")
        for per in ("batch", "sample")
    },
}


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if "ce-ratio" not in name])
def test_gradients_equal_finite_differences(name: str) -> None:
    """All but ce-ratio, whose detached alpha_cons moves with the weights; see the next test."""
    batch, (weights, classes) = random_batch(), model()

    def loss(w: Tensor, c: Tensor) -> Tensor:
        return OBJECTIVES[name](PredictingModel(predictor(w, c)), batch).value

    assert torch.autograd.gradcheck(loss, (weights.requires_grad_(), classes.requires_grad_()))


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_the_gradient_of_the_ce_ratio_is_that_of_a_constant(per: str) -> None:
    batch, (weights, classes) = random_batch(), model()
    options = CAPTOptions(alpha_cons="ce-ratio", alpha_cons_per=per, capt_weight=1.0)
    weights.requires_grad_()
    logits = predictor(weights, classes)
    (found,) = torch.autograd.grad(capt(options)(PredictingModel(logits), batch).value, weights)
    fixed = alpha_cons(logits(batch.images)[1].detach(), batch.frozen_logits, batch.labels, options)
    clean, attacked = logits(batch.images)[1], logits(batch.adversarial)[1]
    mixed = (1 - fixed) * divergence(clean, attacked, False)
    mixed = mixed + fixed * divergence(batch.frozen_logits, attacked, False)
    (expected,) = torch.autograd.grad(F.cross_entropy(clean, batch.labels) + mixed.mean(), weights)
    torch.testing.assert_close(found, expected)


def test_divergence_by_hand_and_at_equality() -> None:
    batch = random_batch()
    first, second = scores(batch.images), scores(batch.adversarial)
    assert divergence(first, second, False).tolist() == pytest.approx(kl_by_hand(first, second))
    assert divergence(first, first + 3, False).abs().max() < 1e-12
    assert divergence(first, batch.frozen_logits, False).min() >= 0


def test_adversarial_is_cross_entropy_of_the_attacked_images() -> None:
    batch = random_batch()
    expected = F.cross_entropy(scores(batch.adversarial), batch.labels).item()
    assert value(adversarial(NoOptions()), batch) == pytest.approx(expected)


def test_trades_by_hand() -> None:
    batch = random_batch()
    clean, attacked = scores(batch.images), scores(batch.adversarial)
    expected = F.cross_entropy(clean, batch.labels).item() + 6 * mean(kl_by_hand(clean, attacked))
    assert value(trades(TradesOptions(beta=6.0)), batch) == pytest.approx(expected)
    assert value(trades(TradesOptions(beta=0.0)), batch) == pytest.approx(
        F.cross_entropy(clean, batch.labels).item()
    )


def test_fap_by_hand() -> None:
    batch, predict = random_batch(), predictor(*model())
    (clean, logits), (attacked, attacked_logits) = predict(batch.images), predict(batch.adversarial)
    cosines = (clean.image_features * attacked.image_features).sum(-1).tolist()
    kl = kl_by_hand(logits, attacked_logits)
    weighted = mean([k * (c + 1) for k, c in zip(kl, cosines, strict=True)])
    expected = F.cross_entropy(logits, batch.labels).item() + 1.5 * weighted
    assert value(fap(NoOptions()), batch) == pytest.approx(expected)


def capt_value(batch: Batch, **options: Any) -> float:
    return value(capt(CAPTOptions(**options)), batch)


def test_capt_without_weight_is_cross_entropy() -> None:
    batch = random_batch()
    expected = F.cross_entropy(scores(batch.images), batch.labels).item()
    assert capt_value(batch, capt_weight=0.0) == expected


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_the_two_ends_of_capt(weight: float) -> None:
    batch = random_batch()
    clean, attacked = scores(batch.images), scores(batch.adversarial)
    entropy = F.cross_entropy(clean, batch.labels).item()
    ends = {
        0.0: mean(kl_by_hand(clean, attacked)),
        1.0: mean(kl_by_hand(batch.frozen_logits, attacked)),
    }
    for alpha, divergence_by_hand in ends.items():
        found = capt_value(batch, alpha_cons="constant", alpha_cons_value=alpha, capt_weight=weight)
        assert found == pytest.approx(entropy + weight * divergence_by_hand)
    half = capt_value(batch, alpha_cons="constant", alpha_cons_value=0.5, capt_weight=weight)
    assert half == pytest.approx(entropy + weight * mean(list(ends.values())))


def test_the_fusion_is_the_sum_of_both() -> None:
    batch = random_batch()
    options = FedMVPCAPTOptions(alpha=3.0, capt_weight=2.0)
    entropy = F.cross_entropy(scores(batch.images), batch.labels).item()
    both = value(fedmvp(FedMVPObjectiveOptions(alpha=3.0)), batch)
    both += value(capt(CAPTOptions(capt_weight=2.0)), batch)
    assert value(fedmvp_capt(options), batch) == pytest.approx(both - entropy)


def alphas(per: str, strategy: str, clean: Tensor, frozen: Tensor, labels: Tensor) -> list[float]:
    options = CAPTOptions(alpha_cons=strategy, alpha_cons_per=per)
    found: list[float] = alpha_cons(clean, frozen, labels, options).tolist()
    return found


def test_alpha_cons_by_hand() -> None:
    clean = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    frozen = torch.tensor([[3.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 0])
    tuned = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(2))]
    reference = [math.log(1 + math.exp(-3)), math.log(2)]
    ratios = [t / (t + r) for t, r in zip(tuned, reference, strict=True)]
    assert alphas("sample", "ce-ratio", clean, frozen, labels) == pytest.approx(ratios)
    together = sum(tuned) / (sum(tuned) + sum(reference))
    assert alphas("batch", "ce-ratio", clean, frozen, labels) == pytest.approx([together] * 2)
    belief = [math.exp(-r) for r in reference]
    assert alphas("sample", "confidence", clean, frozen, labels) == pytest.approx(belief)
    assert alphas("batch", "confidence", clean, frozen, labels) == pytest.approx([mean(belief)] * 2)


def test_alpha_cons_trusts_the_better_model_and_survives_certainty() -> None:
    sure, unsure = torch.tensor([[60.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    labels = torch.tensor([0])
    assert alphas("sample", "ce-ratio", unsure, sure, labels)[0] > 0.99
    assert alphas("sample", "ce-ratio", sure, unsure, labels)[0] < 0.01
    assert 0 <= alphas("sample", "ce-ratio", 10 * sure, 10 * sure, labels)[0] <= 1


def test_alpha_cons_of_every_step_is_logged() -> None:
    batch = random_batch()
    options = FedMVPCAPTOptions(alpha_cons="confidence")
    own = batch.frozen_logits.softmax(-1).gather(1, batch.labels[:, None]).mean()
    for make in (capt, fedmvp_capt):
        loss = make(options)(PredictingModel(predictor(*model())), batch)
        assert set(loss.measured) == {"alpha-cons"}
        torch.testing.assert_close(loss.measured["alpha-cons"], own)
        assert not loss.measured["alpha-cons"].requires_grad
