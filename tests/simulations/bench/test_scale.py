"""The cost model's line, and a federation of two sizes that is measured as it grows."""

import pytest

from simulations.bench.cost_model import fitted, foretold
from simulations.bench.inputs import Inputs
from simulations.bench.scale import measure
from simulations.bench.sizes import chosen_sizes


def test_a_line_is_found_again() -> None:
    numbers = (10, 100, 1000, 5000)
    line = fitted(numbers, [2 + 0.5 * n for n in numbers])
    assert (line.fixed, line.each) == (pytest.approx(2), pytest.approx(0.5))
    assert line.error == pytest.approx(0, abs=1e-9)
    assert foretold(line, (1_000_000,))["at 1,000,000"] == pytest.approx(500_002, rel=1e-3)


def test_what_grows_faster_than_a_line_shows_in_its_error() -> None:
    assert fitted((10, 100, 1000), [n**2 for n in (10, 100, 1000)]).error > 0.5


@pytest.mark.parametrize(("costs", "fixed"), [([1.0, 200.0], False), ([200.0, 1.0], True)])
def test_no_part_of_a_cost_is_below_nothing(costs: list[float], fixed: bool) -> None:
    line = fitted((10, 1000), costs)
    assert (line.fixed > 0, line.each > 0) == (fixed, not fixed)


@pytest.mark.slow
def test_a_federation_is_measured_at_two_sizes() -> None:
    found = {part.title: part for part in measure(Inputs(chosen_sizes(quick=True, rounds=3)))}
    bytes_moved = found["bytes a round"].values
    # 16 float32 numbers each way.
    assert bytes_moved == {"4 clients": [4 * 2 * 64 / 1e6], "8 clients": [8 * 2 * 64 / 1e6]}
    assert found["bytes a round"].facts["a client"] == pytest.approx(2 * 64 / 1e6)
    named = ("a round", "memory", "run folder")
    assert all(value[0] > 0 for name in named for value in found[name].values.values())
    whole, without = found["a round"].values, found["a round without local steps"].values
    assert all(whole[side] > without[side] for side in whole)
