"""Square: its schedule, its squares, and that it needs no gradient."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial.losses import margin
from fedmvp_core.adversarial.square import _squares, square, square_side
from fedmvp_core.adversarial.worst_case import broken


def test_the_square_shrinks_as_the_budget_goes() -> None:
    sides = [square_side(query, 10_000, 64, 64) for query in range(0, 10_000)]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == round((0.8 * 64 * 64) ** 0.5) == 57
    assert sides[11] == round((0.4 * 64 * 64) ** 0.5)
    assert sides[-1] == round((0.8 / 512 * 64 * 64) ** 0.5)
    # Scaled to other budgets, and never larger than the picture.
    assert square_side(50, 100, 64, 64) == sides[5000]
    assert square_side(1, 100, 4, 400) == 4
    assert square_side(99, 100, 2, 2) == 1


def test_squares_are_solid_and_somewhere_else_each_time() -> None:
    draws = torch.Generator().manual_seed(0)
    images, rows = torch.zeros(50, 3, 9, 12), torch.arange(0, 50, 2)
    painted = _squares(images, 4, draws, rows)
    assert painted.shape == (25, 3, 9, 12)
    assert (painted.abs().sum(dim=(2, 3)) == 16).all()
    for picture in painted:
        place = torch.nonzero(picture[0])
        assert (place.amax(dim=0) - place.amin(dim=0)).tolist() == [3, 3]
        assert all(len(channel[channel != 0].unique()) == 1 for channel in picture)
    places = painted.abs().amax(dim=(0, 1))
    assert places[0].any()
    assert places[-1].any()
    assert places[:, 0].any()
    assert places[:, -1].any()


def test_no_gradient_is_needed_and_more_queries_never_mend(problem: Callable[..., Any]) -> None:
    case = problem(4, count=40)
    left = []
    for queries in (1, 30, 300):
        found = square(
            lambda images: case.model(images).detach(),
            case.images, case.labels, 0.02, queries, torch.Generator().manual_seed(0),
        )  # fmt: skip
        left.append(int((~broken(case.model(found), case.labels)).sum()))
    assert 40 >= left[0] > left[1] >= left[2] < 20


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_margin_grows_for_every_image(problem: Callable[..., Any], multi_label: bool) -> None:
    case = problem(4, multi_label)
    found = square(case.model, case.images, case.labels, 0.003, 60)
    before, after = (margin(case.model(at), case.labels) for at in (case.images, found))
    assert (after > before).all()


def test_costs_a_forward_pass_a_query(problem: Callable[..., Any]) -> None:
    case = problem(4)
    square(case.model, case.images, case.labels, 1e-5, 25)
    assert case.model.forwards == 1 + 25
