"""Attacks in a row: the worst of all, and the broken are spared."""

from collections.abc import Callable
from typing import Any

import torch

from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.ensemble import ensemble, worst_of
from fedmvp_core.adversarial.losses import margin
from fedmvp_core.adversarial.square import square
from fedmvp_core.adversarial.worst_case import broken, wrong_labels

EPSILON = 0.01


def test_breaks_whatever_its_first_attack_breaks(problem: Callable[..., Any]) -> None:
    case = problem(5, count=60)
    arguments = (case.model, case.images, case.labels, EPSILON)
    alone = apgd(*arguments, 5, generator=torch.Generator().manual_seed(1))
    together = ensemble(*arguments, 5, torch.Generator().manual_seed(1))
    broken_alone = broken(case.model(alone), case.labels)
    broken_together = broken(case.model(together), case.labels)
    assert 0 < broken_alone.sum() < 60
    assert not (broken_alone & ~broken_together).any()
    assert (together - case.images).abs().max() <= EPSILON + 1e-6


def test_an_attack_gets_what_those_before_left(
    problem: Callable[..., Any], draws: torch.Generator
) -> None:
    case = problem(4, count=5)
    other = (case.labels + 1) % 4  # wrong without any attack
    labels = torch.where(torch.arange(5) < 2, other, case.labels)
    got = []

    def first(f: Any, images: Any, labels: Any, epsilon: Any, steps: Any, draws: Any) -> Any:
        got.append(len(images))
        changed = images.clone()
        changed[0] = pgd_like(images[0])
        return changed

    def pgd_like(image: torch.Tensor) -> torch.Tensor:
        candidates = torch.rand(500, 3, 8, 8, generator=draws)
        wrong = broken(case.model(candidates), case.labels[2].expand(500))
        return candidates[torch.nonzero(wrong)[0, 0]]

    found = worst_of(
        {"first": first, "second": first}, case.model, case.images, labels, 1.0, 1, draws
    )
    assert got == [3, 2]
    assert torch.equal(found[:2], case.images[:2])
    assert broken(case.model(found), labels).tolist()[:3] == [True, True, True]


def test_with_many_labels_the_harm_goes_on_after_the_first(problem: Callable[..., Any]) -> None:
    case = problem(6, multi_label=True)
    labels = case.labels.clone()
    labels[:, 0] = 1 - labels[:, 0]  # every image has one wrong label to begin with
    assert (wrong_labels(case.model(case.images), labels) == 1).all()
    found = ensemble(case.model, case.images, labels, 0.05, 5)
    assert (wrong_labels(case.model(found), labels) > 1).all()


def test_the_queries_are_ten_for_a_step_unless_given(problem: Callable[..., Any]) -> None:
    case = problem(2)
    arguments = (case.model, case.images, case.labels, 1e-6, 3)
    ensemble(*arguments)
    by_default, case.model.forwards = case.model.forwards, 0
    ensemble(*arguments, queries=5)
    assert by_default - case.model.forwards == 30 - 5
    alone = square(case.model, case.images, case.labels, 1e-6, 30)
    assert (margin(case.model(ensemble(*arguments)), case.labels)
            >= margin(case.model(alone), case.labels) - 1e-4).all()  # fmt: skip
