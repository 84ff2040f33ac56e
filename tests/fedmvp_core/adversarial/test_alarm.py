"""The masking alarm rings for models that hide their gradients, and is silent for others."""

import dataclasses

import pytest
import torch
from run_configs import run_config
from torch import Tensor

from fedmvp_core.adversarial.alarm import Finding, masking_findings
from fedmvp_core.adversarial.masking_probe import Budget, vanished
from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import load_backbone
from fedmvp_core.data.emoji.domains import load
from fedmvp_core.errors import AttackError

CHECKS = [
    "black-box",
    "more-steps",
    "larger-epsilon",
    "large-epsilon",
    "one-step",
    "gradients",
    "transfer",
    "randomness",
]
BUDGET = Budget(4 / 255, steps=20, few_steps=5, queries=300)


def rung(findings: list[Finding]) -> set[str]:
    return {finding.check for finding in findings if finding.passed is False}


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize("multi_label", [False, True])
def test_silent_on_a_small_differentiable_model(problem, multi_label):
    case = problem(5, multi_label, count=40)
    begun = []
    found = masking_findings(
        case.model, case.images, case.labels, BUDGET, case.model, on_check=begun.append
    )
    assert [finding.check for finding in found] == CHECKS
    assert set(begun) == {*CHECKS, "white box"}
    assert not rung(found)
    assert all(finding.passed for finding in found)
    curve = by_name(found)["larger-epsilon"].numbers
    assert list(curve) == ["clean", "eps=1/255", "eps=2/255", "eps=4/255", "eps=8/255"]
    assert curve["clean"] == 1
    assert curve["eps=8/255"] < curve["eps=2/255"] <= curve["eps=1/255"] < 1


def test_the_same_budget_finds_the_same_numbers(problem):
    case = problem(5)
    first, second = (masking_findings(case.model, case.images, case.labels, BUDGET) for _ in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.numbers == other.numbers


def test_rings_where_inputs_are_rounded(problem):
    case = problem(5, count=40)

    def rounded(images: Tensor) -> Tensor:
        return case.model((images * 64).round() / 64)

    with torch.no_grad():
        labels = rounded(case.images).argmax(dim=1)
    found = masking_findings(rounded, case.images, labels, BUDGET, case.model)
    assert {"black-box", "large-epsilon", "gradients", "transfer"} <= rung(found)
    gradients = by_name(found)["gradients"]
    assert gradients.measured == 1
    assert gradients.numbers == {"images": 40, "zero": 40, "too-small": 0}


def test_rings_where_logits_are_scaled_up(problem):
    case = problem(5, count=40)
    found = masking_findings(lambda x: 1e4 * case.model(x), case.images, case.labels, BUDGET)
    assert {"black-box", "large-epsilon", "gradients"} <= rung(found)


@pytest.mark.parametrize(
    ("sharpness", "ringing"),
    # Where the softmax is a step, random search finds no slope either.
    [(30, {"black-box", "gradients"}), (1e4, {"large-epsilon", "gradients"})],
)
def test_rings_where_a_softmax_is_saturated(problem, sharpness, ringing):
    case = problem(5, count=40)

    def saturated(images: Tensor) -> Tensor:
        return 100 * (sharpness * case.model(images)).softmax(dim=1)

    found = masking_findings(saturated, case.images, case.labels, BUDGET)
    assert ringing <= rung(found)


def noisy(model, draw: torch.Generator):
    return lambda images: model(images + 0.05 * torch.randn(images.shape, generator=draw))


def test_rings_where_noise_is_added_until_attacks_average_over_it(problem):
    case = problem(5, count=40)
    model = noisy(case.model, torch.Generator().manual_seed(1))
    randomness = by_name(masking_findings(model, case.images, case.labels, BUDGET))["randomness"]
    assert randomness.passed is False
    assert randomness.numbers["same-answers"] < 1
    averaging = dataclasses.replace(BUDGET, draws=10, steps=5, queries=20)
    found = by_name(masking_findings(model, case.images, case.labels, averaging))
    assert found["randomness"].passed
    assert found["randomness"].numbers["difference"] == pytest.approx(
        randomness.numbers["difference"], rel=0.9
    )


def test_more_steps_and_a_larger_epsilon_that_help_the_model_ring(problem):
    """A model that notices a strong perturbation and answers from its memory."""
    case = problem(5, count=40)

    def remembering(images: Tensor) -> Tensor:
        logits = case.model(images)
        moved = (images[:, None] - case.images[None]).abs().amax(dim=(2, 3, 4))
        distance, nearest = moved.min(dim=1)
        safe = 100 * torch.nn.functional.one_hot(case.labels[nearest], 5).to(logits)
        return torch.where((distance > 6 / 255)[:, None], safe + 0 * logits, logits)

    found = by_name(masking_findings(remembering, case.images, case.labels, BUDGET))
    assert found["larger-epsilon"].passed is False
    assert found["large-epsilon"].passed is False


def test_transfer_is_not_checked_without_another_model(problem):
    case = problem(5)
    transfer = by_name(masking_findings(case.model, case.images, case.labels, BUDGET))["transfer"]
    assert transfer.passed is None
    assert transfer.unchecked == "this is the frozen model"


def test_nothing_is_claimed_where_no_image_is_right(problem):
    case = problem(5)
    wrong = (case.labels + 1) % 5
    found = masking_findings(case.model, case.images, wrong, BUDGET, case.model)
    assert {f.check for f in found if f.passed is None} == {*CHECKS} - {"randomness"}
    assert {f.unchecked for f in found} == {"no image is right before the attack", ""}


def test_batches_change_no_check(problem):
    case = problem(5)
    small = dataclasses.replace(BUDGET, batch_size=5)
    assert not rung(masking_findings(case.model, case.images, case.labels, small, case.model))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsilon": 0.0}, "epsilon is 0; the checks for masking need one above 0"),
        ({"epsilon": 1.5}, "epsilon is 1.5; allowed: 0 to 1"),
        ({"steps": 0}, "steps is 0; allowed: a whole number, 1 or more"),
        ({"few_steps": 0}, "steps is 0"),
        ({"queries": 0}, "steps is 0"),
        ({"draws": 0}, "draws is 0; allowed: a whole number, 1 or more"),
    ],
)
def test_a_budget_out_of_range_is_refused(problem, change, words):
    case = problem(3)
    with pytest.raises(AttackError, match=words):
        masking_findings(
            case.model, case.images, case.labels, dataclasses.replace(BUDGET, **change)
        )


def test_a_model_without_a_gradient_is_refused(problem):
    case = problem(3)
    with pytest.raises(AttackError, match="have no gradient with respect to the images"):
        masking_findings(lambda x: case.model(x).detach(), case.images, case.labels, BUDGET)


def test_vanished_tells_zero_from_too_small(problem):
    case = problem(5)
    right, zero, small = vanished(case.model, case.images, case.labels, 4 / 255)
    assert right.all()
    assert not (zero | small).any()
    certain = torch.eye(5)[torch.zeros_like(case.labels)]
    labels = torch.zeros_like(case.labels)
    _, zero, small = vanished(lambda x: certain + 1e-9 * case.model(x), case.images, labels, 0.1)
    assert small.all()
    assert not zero.any()


@pytest.mark.slow
def test_silent_on_the_embedded_robust_backbone():
    backbone = load_backbone("tiny", "embedded-robust")
    config = run_config()
    dataset = load(config.data, config.run, backbone.image_size)
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(0))[:40]
    images, labels = dataset.test.images[order].float() / 255, dataset.test.labels[order]
    sentences = [f"a picture of a {name}." for name in dataset.class_names]
    classes = backbone.encode_text(sentences, normalize=True)

    def logits(pixels: Tensor) -> Tensor:
        return backbone.logit_scale * backbone.encode_image(pixels, normalize=True) @ classes.T

    with attack_mode(backbone):
        found = masking_findings(logits, images, labels, Budget(4 / 255, 20, 10, 100), logits)
    assert not rung(found), by_name(found)
    assert all(finding.passed for finding in found)
