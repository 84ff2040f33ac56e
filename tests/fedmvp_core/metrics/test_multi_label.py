"""Multi-label measures against hand-made cases and scikit-learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_score, recall_score
from torch import Tensor

from fedmvp_core.errors import DataError
from fedmvp_core.metrics.multi_label import (
    average_precisions,
    best_threshold,
    mean_average_precision,
    oracle_precision_recall,
    precision_recall,
    top_k_precision_recall,
)


def random_case(seed: int, images: int = 40, classes: int = 6) -> tuple[Tensor, Tensor]:
    """Coarse probabilities, so that many are equal, and labels without unknown ones."""
    draw = torch.Generator().manual_seed(seed)
    probabilities = torch.randint(0, 11, (images, classes), generator=draw).double() / 10
    labels = torch.randint(0, 2, (images, classes), generator=draw)
    return probabilities, labels


# --- average precision


def test_average_precision_by_hand() -> None:
    # ranked: hit, miss, hit, miss -> precision 1 at recall 1/2, 2/3 at recall 1
    scores = torch.tensor([[0.9], [0.8], [0.7], [0.1]])
    labels = torch.tensor([[1], [0], [1], [0]])
    assert average_precisions(scores, labels).tolist() == pytest.approx([(1 + 2 / 3) / 2])


def test_equal_scores_share_a_threshold() -> None:
    """A model that says the same of every image has the share of positives, in any order."""
    scores = torch.full((4, 1), 0.5)
    for labels in ([1, 0, 0, 0], [0, 0, 0, 1]):
        assert float(average_precisions(scores, torch.tensor(labels)[:, None])) == 0.25


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    scores, labels = random_case(seed)
    for c, found in enumerate(average_precisions(scores, labels).tolist()):
        assert found == pytest.approx(average_precision_score(labels[:, c], scores[:, c]))


def test_a_rising_function_of_the_scores_changes_nothing() -> None:
    scores, labels = random_case(3)
    steep = scores * torch.tensor([1.0, 7, 0.1, 3, 2, 5]) - 4
    assert torch.equal(average_precisions(scores, labels), average_precisions(steep, labels))


def test_classes_without_a_positive_are_left_out_and_counted() -> None:
    scores, labels = random_case(1)
    labels[:, [0, 4]] = 0
    found = mean_average_precision(scores, labels)
    assert (found.classes, found.left_out) == (4, 2)
    kept = [1, 2, 3, 5]
    expected = [average_precision_score(labels[:, c], scores[:, c]) for c in kept]
    assert found.value == pytest.approx(sum(expected) / 4)


def test_no_positive_at_all() -> None:
    found = mean_average_precision(torch.rand(5, 3), torch.zeros(5, 3, dtype=torch.int64))
    assert math.isnan(found.value)
    assert (found.classes, found.left_out) == (0, 3)


def test_unknown_labels_are_as_if_the_pair_did_not_exist() -> None:
    scores, labels = random_case(2)
    hidden = torch.rand(labels.shape, generator=torch.Generator().manual_seed(0)) < 0.4
    masked = labels.masked_fill(hidden, -1)
    for c, found in enumerate(average_precisions(scores, masked).tolist()):
        kept = ~hidden[:, c]
        assert found == pytest.approx(average_precision_score(labels[kept, c], scores[kept, c]))
    # and whatever the model says of them does not matter
    other = torch.where(hidden, 1 - scores, scores)
    assert torch.equal(average_precisions(other, masked), average_precisions(scores, masked))
    assert precision_recall(other, masked) == precision_recall(scores, masked)
    assert top_k_precision_recall(other, masked) == top_k_precision_recall(scores, masked)


# --- precision and recall


def test_precision_and_recall_by_hand() -> None:
    probabilities = torch.tensor([[0.9, 0.6, 0.2], [0.7, 0.5, 0.1], [0.2, 0.8, 0.4]])
    labels = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 1]])
    found = precision_recall(probabilities, labels)
    # class 0: claims 2, hits 1, positives 2; class 1: 2, 1, 2 (0.5 is no claim); class 2: 0, 0, 2
    assert found.cp == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.cr == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.cf1 == pytest.approx(1 / 3)
    assert found.op == pytest.approx(2 / 4)
    assert found.or_ == pytest.approx(2 / 6)
    assert found.of1 == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))


@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.15, 0.5, 0.85]))
@settings(max_examples=30)
def test_precision_and_recall_are_those_of_scikit_learn(seed: int, threshold: float) -> None:
    probabilities, labels = random_case(seed)
    predicted = probabilities > threshold
    found = precision_recall(probabilities, labels, threshold)
    for average, precision, recall, f1 in (
        ("macro", found.cp, found.cr, found.cf1),
        ("micro", found.op, found.or_, found.of1),
    ):
        expected_precision = precision_score(labels, predicted, average=average, zero_division=0)
        expected_recall = recall_score(labels, predicted, average=average, zero_division=0)
        assert precision == pytest.approx(expected_precision)
        assert recall == pytest.approx(expected_recall)
        both = expected_precision + expected_recall
        assert f1 == pytest.approx(2 * expected_precision * expected_recall / both if both else 0)


def test_cf1_is_no_mean_of_f1() -> None:
    """One class with precision 1 and recall 1/2, one the other way round."""
    probabilities = torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    labels = torch.tensor([[1, 1], [1, 0], [0, 0]])
    found = precision_recall(probabilities, labels)
    assert found.cf1 == pytest.approx(0.75)
    assert found.cf1 != pytest.approx(2 / 3)


def test_a_class_without_a_positive_costs_overall_but_not_per_class() -> None:
    probabilities = torch.tensor([[0.9, 0.9], [0.1, 0.1]])
    found = precision_recall(probabilities, torch.tensor([[1, 0], [0, 0]]))
    assert (found.cp, found.cr, found.cf1) == (1, 1, 1)
    assert (found.op, found.or_) == (0.5, 1)


def test_perfect_and_silent_predictions() -> None:
    _, labels = random_case(5)
    assert set(precision_recall(labels.double(), labels)) == {1.0}
    assert set(precision_recall(torch.zeros(labels.shape), labels)) == {0.0}


def test_top_k_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.8, 0.1, 0.0], [0.1, 0.1, 0.1, 0.0]])
    labels = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 1]])
    # image 0 claims 0 and 1 (one hit); image 1 the first of equals, 0 and 1 (no hit)
    found = top_k_precision_recall(scores, labels, k=2)
    assert (found.op, found.or_) == (1 / 4, 1 / 5)
    # unknown labels leave their place to the next: image 0 now claims 1 and 2
    labels[0, 0] = -1
    assert top_k_precision_recall(scores, labels, k=2).or_ == 1 / 4


def test_top_k_claims_no_more_than_is_known() -> None:
    labels = torch.tensor([[1, -1, -1, -1]])
    assert top_k_precision_recall(torch.rand(1, 4), labels, k=3).op == 1


# --- thresholds


def test_the_oracle_is_an_upper_bound_and_says_so() -> None:
    probabilities, labels = random_case(8)
    oracle = oracle_precision_recall(probabilities, labels)
    assert set(oracle) == {"oracle-cf1", "oracle-of1"}
    for measure in ("cf1", "of1"):
        at = {
            t: getattr(precision_recall(probabilities, labels, t / 10), measure)
            for t in range(1, 10)
        }
        assert oracle[f"oracle-{measure}"] == max(at.values())
        best = best_threshold(probabilities, labels, measure)
        assert best == min(t for t, value in at.items() if value == max(at.values())) / 10


# --- refusals


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (torch.rand(3, 2), torch.zeros(3, 3), r"scores are \(3, 2\) and labels \(3, 3\)"),
        (torch.rand(3), torch.zeros(3), r"scores are \(3,\) and labels \(3,\)"),
        (torch.rand(1, 2), torch.tensor([[0, 2]]), "a label is 2; allowed: 1, 0 and -1"),
        (torch.tensor([[float("nan")]]), torch.tensor([[1]]), "a score is not a number"),
    ],
)
def test_what_cannot_be_measured_is_refused(scores: Tensor, labels: Tensor, message: str) -> None:
    for measure in (average_precisions, precision_recall, top_k_precision_recall, best_threshold):
        with pytest.raises(DataError, match=message):
            measure(scores, labels)


@pytest.mark.parametrize("k", [0, 5])
def test_k_is_between_one_and_the_number_of_classes(k: int) -> None:
    with pytest.raises(DataError, match=f"k is {k}; allowed: 1 to 4"):
        top_k_precision_recall(torch.rand(2, 4), torch.ones(2, 4), k)
