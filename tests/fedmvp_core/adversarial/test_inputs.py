"""Bad input is named, by every attack alike."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.attacks import evaluation_attack
from fedmvp_core.adversarial.inputs import check_inputs, checked_logits
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.errors import AttackError
from fedmvp_core.registry import ATTACKS, names_in

NAMES = names_in(ATTACKS)
IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0])
MULTI = torch.tensor([[1, 0, 1]] * 4)

BAD: list[tuple[dict[str, Any], str]] = [
    ({"epsilon": -0.1}, "epsilon is -0.1; allowed: 0 to 1"),
    ({"epsilon": 4.0}, "epsilon is 4.0; allowed: 0 to 1"),
    ({"epsilon": float("nan")}, "epsilon is nan"),
    ({"steps": 0}, "steps is 0; allowed"),
    ({"steps": 2.5}, r"steps is 2\.5; allowed"),
    ({"images": IMAGES * 255}, r"images range from .*; allowed: \[0, 1\]"),
    ({"images": IMAGES - 0.5}, "images range from -0"),
    ({"images": IMAGES * float("nan")}, "images range from nan"),
    ({"images": (IMAGES * 255).to(torch.uint8)}, "images are torch.uint8; allowed: float32"),
    ({"images": IMAGES.half()}, "images are torch.float16; allowed: float32"),
    ({"images": IMAGES[0]}, r"images have shape \(3, 8, 8\)"),
    ({"images": IMAGES[:0], "labels": LABELS[:0]}, r"images have shape \(0, 3, 8, 8\)"),
    ({"images": IMAGES[:, :1]}, r"images have shape \(4, 1, 8, 8\)"),
    ({"labels": LABELS[:3]}, r"labels have shape \(3,\) for 4 images"),
    ({"labels": LABELS.view(4, 1, 1)}, r"labels have shape \(4, 1, 1\)"),
    ({"labels": LABELS.int()}, "labels are torch.int32; allowed: int64"),
    ({"labels": LABELS.float()}, "labels are torch.float32; allowed: int64"),
    ({"labels": LABELS - 1}, "labels hold -1"),
    ({"labels": LABELS + 1}, "labels are for 4 classes, the model returns 3"),
    ({"labels": MULTI * 2}, "other values than 1, 0 and -1"),
    ({"labels": MULTI[:, :2]}, "labels are for 2 classes, the model returns 3"),
]


def run(name: str, model: Any, images: Any, labels: Any, epsilon: Any, steps: Any) -> None:
    if name == "training":
        pgd(model, images, labels, epsilon, 0.01, steps)
    else:
        evaluation_attack(name)(model, images, labels, epsilon, steps, torch.Generator())


@pytest.mark.parametrize("name", ["training", *NAMES])
@pytest.mark.parametrize(("change", "words"), BAD)
def test_bad_input(
    problem: Callable[..., Any], name: str, change: dict[str, Any], words: str
) -> None:
    model = problem(3).model
    given = {"images": IMAGES, "labels": LABELS, "epsilon": 0.01, "steps": 3} | change
    if name == "autoattack" and "classes, the model" in words:
        words = f"single-label problems only|pip install|{words}"
    with pytest.raises(AttackError, match=words):
        run(name, model, **given)


@pytest.mark.parametrize("name", ["training", *(name for name in NAMES if name != "autoattack")])
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda images: images.mean(dim=(2, 3))[:, :1], "one class only"),
        (lambda images: images, r"returns \(4, 3, 8, 8\) for 4 images"),
        (lambda images: images.mean(dim=(2, 3))[:2], r"returns \(2, 3\) for 4 images"),
    ],
)
def test_bad_models(name: str, model: Any, words: str) -> None:
    labels = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(AttackError, match=words):
        run(name, model, IMAGES, labels, epsilon=0.01, steps=2)


def test_rounding_is_no_error() -> None:
    check_inputs(IMAGES.clamp(0.5) - 0.5 - 3e-8, LABELS, 0.01, 1)
    found = pgd(lambda x: x.mean(dim=(2, 3)), IMAGES * (1 + 1e-7), LABELS, 0.01, 0.01, 2)
    assert found.max() <= 1


def test_inference_mode_is_named() -> None:
    with torch.inference_mode(), pytest.raises(AttackError, match="inference_mode"):
        check_inputs(IMAGES, LABELS, 0.01, 1)


def test_half_precision_logits_are_raised() -> None:
    logits_of = checked_logits(lambda images: images.mean(dim=(2, 3)).bfloat16(), LABELS)
    assert logits_of(IMAGES).dtype == torch.float32
    assert checked_logits(lambda x: x.mean(dim=(2, 3)), LABELS)(IMAGES).dtype == torch.float32


def test_one_label_is_a_multi_label_problem() -> None:
    labels = torch.ones(4, 1, dtype=torch.int64)
    assert checked_logits(lambda images: images.mean(dim=(2, 3))[:, :1], labels)(IMAGES).shape
