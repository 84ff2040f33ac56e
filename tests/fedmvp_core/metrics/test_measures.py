"""What is measured of a split, by name."""

import math

import pytest
import torch
from torch import Tensor

from fedmvp_core.errors import DataError
from fedmvp_core.metrics.calibration import label_calibration_error
from fedmvp_core.metrics.measures import by_class, correct, measure, validation_thresholds
from fedmvp_core.metrics.multi_label import best_threshold, precision_recall
from fedmvp_core.metrics.names import headline

SINGLE = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.5, 0.3, 0.2]])
CLASSES = torch.tensor([0, 1, 1, 2])
MANY = torch.tensor(
    [[0.9, 0.6, 0.2, 0.1], [0.4, 0.7, 0.3, 0.1], [0.8, 0.1, 0.6, 0.1], [0.3, 0.45, 0.2, 0.1]]
)
LABELS = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, -1, 0]])


def test_one_class_an_image() -> None:
    assert correct(SINGLE, CLASSES).tolist() == [True, True, False, False]
    found = measure(SINGLE, CLASSES)
    assert set(found) == {"accuracy", "calibration-error"}
    assert found[headline(False)] == 0.5
    assert by_class(SINGLE, CLASSES) == [(1, 1.0), (2, 0.5), (1, 0.0)]
    count, accuracy = by_class(SINGLE, CLASSES.clamp(max=1))[2]
    assert count == 0
    assert math.isnan(accuracy)


def test_several_labels_an_image_by_hand() -> None:
    # The third class has no positive, nor has the fourth; of the second, one is under 0.5.
    found = measure(MANY, LABELS)
    assert found[headline(True)] == 1.0
    assert found["classes-without-positives"] == 2
    assert found["op"] == pytest.approx(4 / 5)
    assert found["or"] == pytest.approx(4 / 5)
    assert found["cp"] == 1.0
    assert found["cr"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["f1@3"] == pytest.approx(2 * (5 / 12) * 1 / (5 / 12 + 1))
    assert found["calibration-error"] == label_calibration_error(MANY, LABELS)
    assert [count for count, _ in by_class(MANY, LABELS)] == [2, 3, 0, 0]
    assert by_class(MANY, LABELS)[1][1] == 1.0


def test_right_with_several_labels_is_every_known_label() -> None:
    assert correct(MANY, LABELS).tolist() == [True, True, False, False]
    assert correct(MANY, LABELS.masked_fill(LABELS == 1, -1)).tolist() == [True, True, False, True]


def test_thresholds_are_fixed_chosen_elsewhere_or_called_an_oracle() -> None:
    chosen = validation_thresholds(MANY, LABELS)
    assert chosen == {name: best_threshold(MANY, LABELS, name) for name in ("cf1", "of1")}
    other = LABELS.roll(1, 0)
    plain, found = measure(MANY, other), measure(MANY, other, chosen)
    assert set(found) - set(plain) == {"cf1[validation-threshold]", "of1[validation-threshold]"}
    expected = precision_recall(MANY, other, chosen["of1"]).of1
    assert found["of1[validation-threshold]"] == expected
    assert {name: found[name] for name in plain} == plain
    assert plain["of1"] == precision_recall(MANY, other, 0.5).of1
    assert plain["oracle-of1"] >= max(plain["of1"], expected)


def test_more_than_three_labels_are_never_asked_for() -> None:
    two = measure(MANY[:, :2], LABELS[:, :2])
    assert two["f1@3"] == pytest.approx(2 * (5 / 8) / (5 / 8 + 1))


# --- metrics of plugins


def entropy(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
    """A plugin's metric, as a tensor of one number and a whole number."""
    bits = -(probabilities * probabilities.log2()).sum(dim=-1)
    return {"entropy": bits.mean(), "images": len(labels)}  # type: ignore[dict-item]


def test_metrics_of_plugins_are_measured_beside_the_built_in_ones() -> None:
    for probabilities, labels in ((SINGLE, CLASSES), (MANY, LABELS)):
        plain = measure(probabilities, labels)
        found = measure(probabilities, labels, more=[entropy, lambda p, y: {}])
        assert set(found) - set(plain) == {"entropy", "images"}
        assert {name: found[name] for name in plain} == plain
        assert found["images"] == len(labels)
        assert all(isinstance(value, float) for value in found.values())
    by_hand = [-sum(p * math.log2(p) for p in row) for row in SINGLE.tolist()]
    found = measure(SINGLE, CLASSES, more=[entropy])
    assert found["entropy"] == pytest.approx(sum(by_hand) / 4)


def test_a_name_that_is_taken_is_refused() -> None:
    def again(probabilities: Tensor, labels: Tensor) -> dict[str, float]:
        return {"accuracy": 1.0, "calibration-error": 0.0, "mine": 0.5}

    with pytest.raises(DataError, match="a plugin measures accuracy, calibration-error, which is"):
        measure(SINGLE, CLASSES, more=[again])
    assert measure(MANY, LABELS, more=[lambda p, y: {"accuracy": 1.0}])["accuracy"] == 1.0
    with pytest.raises(DataError, match="a plugin measures entropy, images, which is measured al"):
        measure(SINGLE, CLASSES, more=[entropy, entropy])
