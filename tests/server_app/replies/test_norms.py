"""A round's updates against each other."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from server_app.aggregation import Update
from server_app.replies import norms
from server_app.replies.norms import too_long, update_norm

SENT = {"a": torch.zeros(2, 2), "b": torch.ones(1), "lora": torch.zeros(1)}


def update(partition_id: int, length: float, lora: bool = False, images: int = 1) -> Update:
    """One whose tensors lie `length` from those that were sent."""
    if lora:
        return Update(partition_id, {"lora": torch.tensor([length])}, images)
    tensors = {"a": torch.full((2, 2), 0.4 * length), "b": torch.tensor([1 - 0.6 * length])}
    return Update(partition_id, tensors, images)


def test_the_norm_is_that_of_all_tensors_together() -> None:
    assert update_norm(update(0, 3.0), SENT) == pytest.approx(3.0)
    assert update_norm(update(0, -2.0, lora=True), SENT) == 2.0


def test_those_above_so_many_times_the_median_are_named() -> None:
    updates = [update(i, length) for i, length in enumerate([1.0, 2.0, 3.0, 5.9, 6.1])]
    refused = too_long(updates, SENT, 2.0)
    assert list(refused) == [4]
    assert refused[4].kind == "norm"
    assert "client 4: its update has norm 6.1, the median is 3; allowed: 2 times" in str(refused[4])


def test_a_client_with_more_images_may_move_further_for_it() -> None:
    """As in a partition by labels, where one client holds 939 of 1,200 images."""
    small = [update(i, 0.02, images=images) for i, images in enumerate([82, 103, 76])]
    assert too_long([*small, update(3, 0.73, images=939)], SENT, 20.0) == {}
    refused = too_long([*small, update(3, 5.0, images=939)], SENT, 20.0)
    assert "20 times that (max-update-norm), and 10.2 times for its 939" in refused[3].reason
    # Fewer images do not make the limit tighter.
    assert too_long([*small, update(3, 0.39, images=1)], SENT, 20.0) == {}
    assert too_long([*small, update(3, 0.41, images=1)], SENT, 20.0).keys() == {3}


def test_off_and_too_few_for_a_median() -> None:
    assert too_long([update(i, 10.0**i) for i in range(5)], SENT, 0.0) == {}
    assert too_long([update(0, 1.0), update(1, 1e6)], SENT, 2.0) == {}


def test_phases_are_compared_apart_unless_too_few_are_in_one() -> None:
    full = [update(i, 10.0) for i in range(4)]
    lora = [update(4 + i, 0.1, lora=True) for i in range(3)]
    assert too_long([*full, *lora, update(9, 0.9, lora=True)], SENT, 5.0).keys() == {9}
    # Alone in the LoRA phase a client is compared with all: it cannot be its own median.
    assert too_long([*full, update(9, 900.0, lora=True)], SENT, 5.0).keys() == {9}
    # The last one in the full phase moves further than the others, and is no liar for it.
    assert too_long([*lora, update(9, 900.0)], SENT, 5.0) == {}


def test_a_cohort_that_stands_still_may_tremble() -> None:
    still = [update(i, 0.0) for i in range(5)]
    assert too_long([*still, update(5, 1e-8)], SENT, 5.0) == {}
    assert too_long([*still, update(5, 0.1)], SENT, 5.0).keys() == {5}


@given(
    st.lists(st.floats(0.001, 1e30), min_size=3, max_size=12),
    st.floats(1.0, 100.0),
    st.floats(1e-3, 1e3),
)
def test_at_least_half_are_kept_and_scale_does_not_matter(
    lengths: list[float], times: float, scale: float
) -> None:
    """With a limit at or above the median itself, no more than the longer half can be refused."""
    sent = {"lora": torch.zeros(1, dtype=torch.float64)}

    def made(factor: float) -> list[Update]:
        values = [torch.tensor([factor * length], dtype=torch.float64) for length in lengths]
        return [Update(i, {"lora": value}, 1) for i, value in enumerate(values)]

    refused = too_long(made(1.0), sent, times)
    assert len(refused) <= len(lengths) // 2
    ordered = sorted(lengths)
    median = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    borderline = [x for x in lengths if math.isclose(x, times * median, rel_tol=1e-9)]
    if not borderline:
        assert refused.keys() == {i for i, x in enumerate(lengths) if x > times * median}
        assert too_long(made(scale), sent, times).keys() == refused.keys()


def test_the_work_grows_as_the_cohort_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A median is taken once for each set of tensors, not once for each client."""
    calls: list[int] = []
    real = norms.statistics.median

    def counted(values):
        calls.append(1)
        return real(values)

    monkeypatch.setattr(norms.statistics, "median", counted)
    cohort = [update(i, 1.0, lora=i % 2 == 1) for i in range(400)]
    assert too_long([*cohort, update(400, 9.0)], SENT, 2.0).keys() == {400}
    assert len(calls) == 4
