"""Every objective on images with several labels: by hand, its gradients, and unknown labels."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from predicting_model import PredictingModel
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core import registry
from fedmvp_core.logits import label_logits
from fedmvp_core.losses.multi_label import (
    asymmetric_loss,
    binary_cross_entropy,
    label_divergence,
    softmax_loss,
)
from fedmvp_core.objectives import Batch, LossFunction, Objective
from fedmvp_core.objectives.capt import CAPTOptions, alpha_cons
from fedmvp_core.prompting import Features
from fedmvp_core.registry import find

CLASSES, SCALE = 4, 5.0
OBJECTIVES: dict[str, Objective] = {
    name: find(registry.OBJECTIVES, name)
    for name in ("adversarial", "trades", "fap", "fedmvp", "capt", "fedmvp-capt")
}


def loss_of(name: str, **options: Any) -> LossFunction:
    """The objective with those of the options that it has."""
    objective = OBJECTIVES[name]
    own = {field.name for field in dataclasses.fields(objective.options)}
    kept = {key: value for key, value in options.items() if key in own}
    return objective.loss(objective.options(**kept))


def random_batch(images: int = 6) -> Batch:
    draw = torch.Generator().manual_seed(3)

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=draw, dtype=torch.float64)

    clean = rand(images, 3, 2, 2)
    return Batch(
        images=clean,
        labels=torch.randint(-1, 2, (images, CLASSES), generator=draw),
        frozen_features=F.normalize(rand(images, 5) - 0.5, dim=-1),
        frozen_logits=4 * rand(images, CLASSES) - 2,
        adversarial=(clean + 0.1 * (rand(*clean.shape) - 0.5)).clamp(0, 1),
    )


def model() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(12, 5, generator=draw, dtype=torch.float64)
    return weights, F.normalize(torch.randn(CLASSES, 5, generator=draw).double(), dim=-1)


def predictor(weights: Tensor, classes: Tensor) -> Callable[[Tensor], tuple[Features, Tensor]]:
    """Stands for a prompted CLIP whose text is trained too."""

    def predict(images: Tensor) -> tuple[Features, Tensor]:
        features = Features(F.normalize(torch.tanh(images.flatten(1) @ weights), dim=-1), classes)
        return features, label_logits(features.image_features, classes, SCALE)

    return predict


def value(loss: LossFunction, batch: Batch, multi_label_loss: str = "asl") -> float:
    return loss(PredictingModel(predictor(*model()), multi_label_loss), batch).value.item()


@pytest.mark.parametrize("loss", ["asl", "bce", "softmax"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_equal_finite_differences(name: str, loss: str) -> None:
    """In images and text, the classes' common direction included; alpha_cons held constant."""
    batch, (weights, classes) = random_batch(), model()
    objective = loss_of(name, alpha_cons="confidence")

    def found(w: Tensor, c: Tensor) -> Tensor:
        return objective(PredictingModel(predictor(w, c), loss), batch).value

    assert torch.autograd.gradcheck(found, (weights.requires_grad_(), classes.requires_grad_()))


@pytest.mark.parametrize("loss", ["asl", "bce", "softmax"])
def test_every_objective_by_its_parts(loss: str) -> None:
    batch, predict = random_batch(), predictor(*model())
    (clean, logits), (moved, attacked) = predict(batch.images), predict(batch.adversarial)
    of_labels = {
        "asl": asymmetric_loss,
        "bce": binary_cross_entropy,
        "softmax": softmax_loss,
    }[loss]
    entropy = of_labels(logits, batch.labels).mean().item()
    near = 1 - F.cosine_similarity(clean.image_features, batch.frozen_features, dim=-1)
    apart = label_divergence(logits, attacked)
    similarity = F.cosine_similarity(clean.image_features, moved.image_features, dim=-1)
    consistency = 0.3 * label_divergence(batch.frozen_logits, attacked) + 0.7 * apart
    options: dict[str, Any] = {
        **{"alpha": 3.0, "beta": 6.0, "capt_weight": 2.0},
        **{"alpha_cons": "constant", "alpha_cons_value": 0.3},
    }
    expected = {
        "adversarial": of_labels(attacked, batch.labels).mean().item(),
        "trades": entropy + 6 * apart.mean().item(),
        "fap": entropy + 1.5 * (apart * (similarity + 1)).mean().item(),
        "fedmvp": entropy + 3 * near.mean().item(),
        "capt": entropy + 2 * consistency.mean().item(),
        "fedmvp-capt": entropy + 3 * near.mean().item() + 2 * consistency.mean().item(),
    }
    found = {name: value(loss_of(name, **options), batch, loss) for name in OBJECTIVES}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("strategy", ["ce-ratio", "confidence"])
@pytest.mark.parametrize("per", ["batch", "sample"])
def test_alpha_cons_is_averaged_over_known_labels(strategy: str, per: str) -> None:
    clean = torch.tensor([[1.0, 0.0, 9.0], [0.0, 2.0, 0.0]])
    frozen = torch.tensor([[3.0, 0.0, -9.0], [0.0, 1.0, 5.0]])
    labels = torch.tensor([[1, 0, -1], [-1, 0, -1]])
    belief = [(_p(3) + 0.5) / 2, 1 - _p(1)]
    tuned = [-(math.log(_p(1)) + math.log(0.5)) / 2, -math.log(1 - _p(2))]
    reference = [-(math.log(_p(3)) + math.log(0.5)) / 2, -math.log(1 - _p(1))]
    if per == "batch":
        belief, tuned, reference = ([sum(x) / 2] * 2 for x in (belief, tuned, reference))
    ratio = [t / (t + r) for t, r in zip(tuned, reference, strict=True)]
    options = CAPTOptions(alpha_cons=strategy, alpha_cons_per=per)
    found = alpha_cons(clean, frozen, labels, options).tolist()
    assert found == pytest.approx(belief if strategy == "confidence" else ratio)


def _p(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@pytest.mark.parametrize("strategy", ["constant", "ce-ratio", "confidence"])
def test_images_without_a_known_label_are_no_error(strategy: str) -> None:
    batch = random_batch()._replace(labels=torch.full((6, CLASSES), -1))
    for name in OBJECTIVES:
        loss = loss_of(name, alpha_cons=strategy)(PredictingModel(predictor(*model())), batch)
        assert loss.value.isfinite()
    assert value(loss_of("adversarial"), batch) == 0
