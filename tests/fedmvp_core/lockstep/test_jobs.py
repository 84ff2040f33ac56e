"""Jobs in lock step: who is asked together, in which order, and how they end."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fedmvp_core.lockstep.jobs import Request, ask, own_seconds, play, takes_part, taking_part

LATE, SOON = 1, 0


class Doubler:
    """Answers with the double of what is asked, and notes what is asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, numbers: list[Any]) -> list[int]:
        self.asked.append(numbers)
        return [2 * number for number in numbers]

    def job(self, *numbers: int, urgency: int = SOON) -> Callable[[], list[int]]:
        return lambda: [ask(Request(urgency, "double", self, number)) for number in numbers]


def test_jobs_are_answered_together_until_each_ends() -> None:
    double = Doubler()
    results = play([double.job(1, 2, 3), double.job(), double.job(4), double.job(5, 6)])
    assert results == [[2, 4, 6], [], [8], [10, 12]]
    assert double.asked == [[1, 4, 5], [2, 6], [3]]


def test_what_is_less_urgent_waits_for_all() -> None:
    soon, late = Doubler(), Doubler()
    slow = soon.job(1, 2)
    play([late.job(7, urgency=LATE), lambda: slow() + late.job(8, urgency=LATE)()])
    assert (soon.asked, late.asked) == ([[1], [2]], [[7, 8]])


def test_other_kinds_are_answered_apart() -> None:
    double = Doubler()
    kinds = "ab"
    assert play([lambda k=k: ask(Request(SOON, k, double, 1)) for k in kinds]) == [2, 2]
    assert double.asked == [[1], [1]]


def test_jobs_run_one_at_a_time_and_in_their_order() -> None:
    seen: list[tuple[str, int]] = []
    double = Doubler()

    def job(name: str) -> None:
        for step in range(3):
            seen.append((name, step))
            time.sleep(0.002)
            seen.append((name, step))
            double.job(step)()

    play([lambda name=name: job(name) for name in "abc"])
    assert seen == [(name, step) for step in range(3) for name in "abc" for _ in range(2)]


def test_an_error_of_an_answer_is_everybodys_who_asked() -> None:
    def refuse(numbers: list[Any]) -> list[int]:
        raise ValueError(f"no room for {len(numbers)}")

    def job() -> str:
        try:
            ask(Request(SOON, "refused", refuse, 1))
        except ValueError as error:
            return str(error)
        return "answered"

    assert play([job, job, lambda: "alone"]) == ["no room for 2", "no room for 2", "alone"]


@pytest.mark.parametrize("error", [KeyError("a job"), KeyboardInterrupt()])
def test_a_failing_job_ends_the_others_in_order(error: BaseException) -> None:
    unwound: list[str] = []
    double, before = Doubler(), threading.active_count()

    def waits() -> None:
        try:
            double.job(1, 2, 3)()
        finally:
            unwound.append("waits")

    def fails() -> None:
        double.job(1)()
        raise error

    with pytest.raises(type(error)):
        play([waits, fails, waits])
    assert unwound == ["waits"] * 2
    assert threading.active_count() == before


def test_only_what_takes_part_waits() -> None:
    def job() -> tuple[bool, bool, bool]:
        before = takes_part()
        with taking_part():
            inside = takes_part()
        return before, inside, takes_part()

    assert play([job, job]) == [(False, True, False)] * 2
    with taking_part():
        assert not takes_part()  # nobody else is there


def test_the_clock_of_a_job_stands_still_while_others_work() -> None:
    def slowly(numbers: list[Any]) -> list[Any]:
        time.sleep(0.1)
        return numbers

    def job(own: float) -> float:
        began = own_seconds()
        time.sleep(own)
        ask(Request(SOON, "slow", slowly, 0))
        return own_seconds() - began

    short, long = play([lambda: job(0.0), lambda: job(0.4)])
    assert 0.05 <= short < 0.3
    assert long >= 0.45
