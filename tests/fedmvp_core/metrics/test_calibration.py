"""Calibration errors by hand, and against a slow reference."""

import pytest
import torch
from torch import Tensor

from fedmvp_core.errors import DataError
from fedmvp_core.metrics.calibration import calibration_error, label_calibration_error


def slow_error(confidence: Tensor, hits: Tensor, bins: int) -> float:
    error = 0.0
    for i in range(bins):
        above = confidence > i / bins if i else confidence >= 0
        inside = above & (confidence <= (i + 1) / bins)
        if inside.any():
            gap = hits[inside].double().mean() - confidence[inside].mean()
            error += float(gap.abs()) * float(inside.double().mean())
    return error


def test_by_hand() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 1])
    # with 2 bins all confidences lie in the upper one: hits 3/4, mean confidence 0.775
    assert calibration_error(probabilities, labels, bins=2) == pytest.approx(0.025)
    # with 5: (0.8, 1] has hits 1/2 at 0.9; (0.6, 0.8] and (0.4, 0.6] hits 1 at 0.7 and 0.6
    expected = (2 * 0.4 + 0.3 + 0.4) / 4
    assert calibration_error(probabilities, labels, bins=5) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_against_the_slow_reference(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(50, 4, generator=draw, dtype=torch.float64).softmax(dim=1)
    labels = torch.randint(0, 4, (50,), generator=draw)
    confidence, predicted = probabilities.max(dim=1)
    expected = slow_error(confidence, predicted == labels, 15)
    assert calibration_error(probabilities, labels) == pytest.approx(expected)
    marks = torch.randint(-1, 2, (50, 4), generator=draw)
    known = marks >= 0
    expected = slow_error(probabilities[known], marks[known] == 1, 15)
    assert label_calibration_error(probabilities, marks) == pytest.approx(expected)


def test_what_is_right_as_often_as_it_says_has_no_error() -> None:
    probabilities = torch.tensor([0.3] * 10 + [0.8] * 10, dtype=torch.float64)[:, None]
    labels = torch.tensor([1] * 3 + [0] * 7 + [1] * 8 + [0] * 2)[:, None]
    assert label_calibration_error(probabilities, labels) == pytest.approx(0, abs=1e-12)


def test_being_sure_and_wrong_is_the_worst() -> None:
    assert label_calibration_error(torch.tensor([[0.0, 1.0]]), torch.tensor([[1, 0]])) == 1


def test_unknown_labels_count_for_nothing() -> None:
    probabilities = torch.tensor([[0.25, 0.9]])
    assert label_calibration_error(probabilities, torch.tensor([[1, -1]])) == 0.75


def test_refusals() -> None:
    with pytest.raises(DataError, match=r"probabilities are \(2, 3\) and labels \(3,\)"):
        calibration_error(torch.rand(2, 3), torch.zeros(3))
    with pytest.raises(DataError, match="expected the same shape"):
        label_calibration_error(torch.rand(2, 3), torch.zeros(3, 2))
    with pytest.raises(DataError, match="of no predictions"):
        label_calibration_error(torch.rand(2, 3), torch.full((2, 3), -1))
    with pytest.raises(DataError, match="go from -1 to 2; allowed: 0 to 1"):
        label_calibration_error(torch.tensor([[-1.0, 2.0]]), torch.tensor([[1, 0]]))
