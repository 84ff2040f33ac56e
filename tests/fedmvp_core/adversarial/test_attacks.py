"""Every attack by its name: bounds, kinds of problem, bad input, side effects."""

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fedmvp_core.adversarial.attacks import evaluation_attack
from fedmvp_core.adversarial.losses import margin
from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.worst_case import broken, wrong_labels
from fedmvp_core.errors import AttackError
from fedmvp_core.registry import ATTACKS, _entries, names_in

NAMES = names_in(ATTACKS)
OURS = [name for name in NAMES if name != "autoattack"]


def test_the_names() -> None:
    assert list(NAMES) == [
        "apgd-ce", "apgd-dlr", "apgd-t", "autoattack", "cw", "ensemble", "fgsm", "mi-fgsm", "pgd",
        "pgd-l2", "square", "tpgd",
    ]  # fmt: skip


def in_its_norm(name: str, epsilon: float) -> float:
    """An epsilon of all pixels together, where one of each pixel is meant elsewhere."""
    return min(10 * epsilon, 1.0) if name == "pgd-l2" else epsilon


def test_an_attack_of_another_package_is_found_by_its_entry_point(
    problem: Callable[..., Any], draws: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = problem(3)
    entry = EntryPoint("grey", f"{__name__}:to_grey", ATTACKS)
    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(to_grey=to_grey))
    monkeypatch.setitem(_entries(ATTACKS), "grey", entry)
    assert "grey" in names_in(ATTACKS)
    found = evaluation_attack("grey")(case.model, case.images, case.labels, 0.25, 3, draws)
    assert torch.equal(found, to_grey(None, case.images, None, 0.25, 3, None))
    with pytest.raises(AttackError, match="steps is 0"):  # what all attacks refuse
        evaluation_attack("grey")(case.model, case.images, case.labels, 0.25, 0, draws)


def to_grey(
    f: object, x: torch.Tensor, y: object, epsilon: float, steps: int, d: object
) -> torch.Tensor:
    """Every pixel epsilon nearer to grey."""
    return x + (0.5 - x).clamp(-epsilon, epsilon)


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(
        AttackError,
        match=r"'apgd_ce'; did you mean apgd-ce.*allowed: apgd-ce, apgd-dlr.*, fgsm, .*pgd",
    ):
        evaluation_attack("apgd_ce")
    with pytest.raises(AttackError, match=r"'deepfool'; allowed: apgd-ce.*fgsm"):
        evaluation_attack("deepfool")


@settings(max_examples=60)
@given(
    name=st.sampled_from(OURS),
    seed=st.integers(0, 2**31),
    epsilon=st.floats(0, 1, width=32),
    steps=st.integers(1, 12),
    classes=st.integers(2, 5),
    multi_label=st.booleans(),
)
def test_stays_in_the_ball_and_in_range(
    name: str, seed: int, epsilon: float, steps: int, classes: int, multi_label: bool
) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 3, 5, 6, generator=draw).round(decimals=1)
    weight = torch.randn(90, classes, generator=draw)
    shape = (4, classes) if multi_label else (4,)
    labels = torch.randint(-1 if multi_label else 0, 2, shape, generator=draw)
    attack = evaluation_attack(name)
    found = attack(lambda x: x.flatten(1) @ weight, images, labels, epsilon, steps, draw)
    assert found.shape == images.shape
    assert not found.requires_grad
    assert (found - images).abs().max() <= epsilon + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_breaks_a_model_of_few_classes(
    problem: Callable[..., Any], draws: torch.Generator, name: str, classes: int
) -> None:
    case = problem(classes)
    steps = 300 if name == "square" else 20
    found = evaluation_attack(name)(
        case.model, case.images, case.labels, in_its_norm(name, 0.25), steps, draws
    )
    # KL has no notion of the right label, and its climb may end in more confidence.
    enough = 0.3 if name == "tpgd" else 0.9
    assert broken(case.model(found), case.labels).float().mean() >= enough


@pytest.mark.parametrize("name", OURS)
def test_flips_many_labels(problem: Callable[..., Any], draws: torch.Generator, name: str) -> None:
    case = problem(5, multi_label=True)
    steps = 300 if name == "square" else 20
    found = evaluation_attack(name)(
        case.model, case.images, case.labels, in_its_norm(name, 0.1), steps, draws
    )
    assert broken(case.model(found), case.labels).all()
    assert wrong_labels(case.model(found), case.labels).float().mean() >= 2


@pytest.mark.parametrize("name", OURS)
def test_side_effects(problem: Callable[..., Any], name: str) -> None:
    case = problem(4)
    case.model.train()
    images, labels, before = case.images.clone(), case.labels.clone(), torch.get_rng_state()

    def run(seed: int) -> torch.Tensor:
        draws = torch.Generator().manual_seed(seed)
        return evaluation_attack(name)(case.model, images, labels, 0.01, 11, draws)

    with torch.no_grad(), attack_mode(case.model):
        first, again, other = run(0), run(0), run(1)
    assert torch.equal(first, again)
    if name in (
        "pgd",
        "pgd-l2",
        "cw",
        "tpgd",
        "square",
    ):  # others have no draw, or end in the same corner
        assert not torch.equal(first, other)
    assert torch.equal(images, case.images)
    assert torch.equal(labels, case.labels)
    assert torch.equal(torch.get_rng_state(), before)
    assert case.model.training
    assert all(weight.requires_grad for weight in case.model.parameters())
    run(0)  # a model whose weights ask for gradients gets none
    assert all(weight.grad is None for weight in case.model.parameters())


@pytest.mark.parametrize("name", OURS)
def test_does_no_less_harm_than_no_attack(
    problem: Callable[..., Any], draws: torch.Generator, name: str
) -> None:
    case = problem(4)
    labels = case.labels.clone()
    labels[:3] = (labels[:3] + 1) % 4  # wrong from the start: stays wrong
    found = evaluation_attack(name)(case.model, case.images, labels, 0.005, 11, draws)
    before, after = (margin(case.model(at), labels) for at in (case.images, found))
    assert (after >= before - 1e-4).all()
    assert (after[3:] > before[3:] + 0.01).float().mean() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_nothing_allowed_is_nothing_done(
    problem: Callable[..., Any], draws: torch.Generator, name: str
) -> None:
    case = problem(3)
    found = evaluation_attack(name)(case.model, case.images, case.labels, 0.0, 3, draws)
    assert torch.equal(found, case.images)
    assert found.data_ptr() != case.images.data_ptr()


@pytest.mark.parametrize("name", [*OURS])
def test_nan_is_an_error(problem: Callable[..., Any], draws: torch.Generator, name: str) -> None:
    case = problem(3)

    def nan_off_the_images(images: torch.Tensor) -> torch.Tensor:
        logits = case.model(images)
        unchanged = len(images) == 12 and torch.equal(images, case.images)
        return logits if unchanged else logits * float("nan")

    with pytest.raises(AttackError, match="NaN"):
        evaluation_attack(name)(nan_off_the_images, case.images, case.labels, 0.01, 12, draws)


@pytest.mark.parametrize("name", ["fgsm", "pgd", "cw", "mi-fgsm", "apgd-ce", "square"])
def test_an_unknown_label_changes_nothing(problem: Callable[..., Any], name: str) -> None:
    case = problem(4, multi_label=True)
    unknown = case.labels.clone()
    unknown[:, 3] = -1

    def attacked(model: Callable[..., torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        draw = torch.Generator().manual_seed(5)
        return evaluation_attack(name)(model, case.images, labels, 0.1, 4, draw)

    found = attacked(case.model, unknown)
    expected = attacked(lambda images: case.model(images)[:, :3], case.labels[:, :3])
    assert torch.equal(found, expected)
    assert not torch.equal(found, case.images)
