"""The benchmark of the server's memory: its line, its verdict, how it finds and reads a server."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulations.bench.growth import (
    MOST_KILOBYTES,
    Sample,
    fit_line,
    sentence,
    server_processes,
    summarise,
    trivial_config,
)

linux_only = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


def samples(rises: float, files: int = 30, later_files: int = 30, rounds: int = 40) -> list[Sample]:
    """A server that fills its caches in the first half and rises by so many KB a round after it."""
    half = rounds // 2
    found = []
    for i in range(rounds):
        heap = 500_000 + 300 * min(i, half) + int(rises * max(0, i - half))
        number = files if i < half + 1 else later_files
        found.append(Sample(i + 1, i / 2, heap + 100_000, heap, number, 12))
    return found


def test_the_line_is_that_of_numpy_with_its_error():
    draw = np.random.default_rng(3)
    rounds = np.arange(50, 90, dtype=float)
    values = 4.5 * rounds + draw.normal(0, 20, len(rounds))
    (slope, _), covariance = np.polyfit(rounds, values, 1, cov=True)
    line = fit_line(rounds.tolist(), values.tolist())
    assert line.slope == pytest.approx(slope)
    assert line.error == pytest.approx(covariance[0, 0] ** 0.5)


def test_what_is_made_once_is_no_growth():
    summary = summarise(samples(rises=0.0))
    assert summary["flat"]
    assert summary["heap-kb-a-round"] == [0.0, 0.0]
    assert summary["heap-mb"] == [488.3, 494.1, 494.1]
    assert "flat" in sentence({**summary, "method": "paft", "clients": 24})


def test_a_rise_is_told():
    summary = summarise(samples(rises=2 * MOST_KILOBYTES))
    assert not summary["flat"]
    assert summary["heap-kb-a-round"][0] == pytest.approx(2 * MOST_KILOBYTES, abs=0.1)
    assert "GROWS" in sentence({**summary, "method": "paft", "clients": 24})


def test_what_the_last_rounds_evaluation_takes_is_no_growth():
    quiet = samples(rises=0.0)
    evaluated = replace(quiet[-1], heap_kb=quiet[-1].heap_kb + 40_000)
    summary = summarise([*quiet[:-1], evaluated])
    assert summary["flat"]
    assert summary["heap-kb-a-round"] == [0.0, 0.0]
    assert summary["rounds"] == 40


def test_a_file_that_stays_open_is_told():
    summary = summarise(samples(rises=0.0, later_files=31))
    assert (summary["files"], summary["flat"]) == ([30, 30, 31], False)


@linux_only
def test_a_sample_sees_files_and_memory():
    """In a process of its own, which has let go of no memory that it could take again."""
    code = """
import os
from simulations.bench.growth import sample
before = sample(os.getpid(), 1, 0.0)
block = bytearray(os.urandom(1)) * 50_000_000
with open("/dev/null"):
    after = sample(os.getpid(), 2, 1.26)
print(before.files, after.files, after.heap_kb - before.heap_kb, after.rss_kb - after.heap_kb)
print(after.round, after.seconds, len(block))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = said.stdout.splitlines()
    files, more_files, grown, beside = map(int, first.split())
    assert more_files == files + 1
    assert 45_000 < grown < 60_000
    assert beside >= 0
    assert second == "2 1.3 50000000"


@linux_only
def test_the_server_is_found_among_the_descendants_by_its_name(tmp_path):
    """A grandchild, run by an interpreter; what only mentions the name is none."""
    script = tmp_path / "flwr-simulation"
    script.write_text("print('up', flush=True); input()")
    start = f"import subprocess, sys; subprocess.run([sys.executable, {str(script)!r}])"
    mention = "input() # flwr-simulation"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([sys.executable, "-c", start], **pipes) as parent,
        subprocess.Popen([sys.executable, "-c", mention, "flwr-simulation"], **pipes) as other,
    ):
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        found = server_processes()
        assert len(found) == 1
        assert found[0] not in (parent.pid, other.pid)
        parent.communicate(b"\n")
        other.communicate(b"\n")
    assert server_processes() == []


def test_the_trivial_run_is_valid_for_its_clients(tmp_path):
    from fedmvp_core.data.settings import load_setting
    from fedmvp_core.data.shards import make_shards

    config = trivial_config(tmp_path, "paft", 200)
    shards = make_shards(load_setting(config, 8), 24, config)
    assert {len(shard.images) for shard in shards} == {2}
    assert (config.federation.rounds, config.evaluation.evaluate_every) == (200, 200)
