"""A federation that is broken off four times ends as one that nobody disturbs."""

import os
from pathlib import Path

import pytest

from simulations.benchmarks.long_haul.__main__ import long_haul, small_disk
from simulations.benchmarks.long_haul.play import crashes

CLIENTS, ROUNDS = 8, 10


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_run_that_is_killed_and_fills_its_disk_ends_in_the_undisturbed_bits(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path, 60):
        seen = long_haul(tmp_path, CLIENTS, ROUNDS)
    drawn = [crashes(r, c) for r in range(1, ROUNDS + 1) for c in range(CLIENTS)]
    assert seen["clients' crashes"] == sum(drawn) > 0
    assert seen["rounds completed"] == ROUNDS
    assert seen["checkpoints"] == seen["different checkpoints"] == ROUNDS + 1
    assert seen["checkpoints equal in every bit"]
    assert seen["each round stands in metrics.csv as often"]


def test_a_twentieth_of_the_clients_crash_in_a_round() -> None:
    drawn = [crashes(round, client) for round in range(200) for client in range(50)]
    assert 0.04 < sum(drawn) / len(drawn) < 0.06
