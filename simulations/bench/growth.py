"""Whether a long run's server grows: its memory and its open files, round by round. Linux only.

It simulates a cheap method with two images a client, and evaluates only in the first and the last
round. After each round it reads /proc for the process that holds the ServerApp. A line is fitted to
that process's memory over the second half of the rounds, when everything that is made once exists.
The last round is left out, since its evaluation takes memory of its own. The verdict is
"GROWS" when the line rises by more than MOST_KILOBYTES a round, or when more files are open at the
end than half way.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig, Scalar, parse_config
from fedmvp_core.errors import DataError
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.console import Console
from simulations.runner.progress import shown_progress
from simulations.runner.project import default_config
from simulations.runner.resources import choose_resources
from simulations.runner.simulate import run_simulation

SERVER = "flwr-simulation"  # its threads include the ServerApp
CLIENTS, ROUNDS, METHOD = 24, 200, "paft"
MOST_KILOBYTES = 16.0  # a round: 16 MB in a run of a thousand rounds
_PROC = Path("/proc")


@dataclass(frozen=True)
class Sample:
    """The server after one round.

    rss_kb: resident memory. heap_kb: the part of it that is the process's own (RssAnon), without
    mapped files and Ray's shared store. files: open file descriptors. threads: how many run.
    """

    round: int
    seconds: float
    rss_kb: int
    heap_kb: int
    files: int
    threads: int


@dataclass(frozen=True)
class Line:
    """A least-squares line: its slope, and the standard error of the slope."""

    slope: float
    error: float


def measure(inputs: Inputs) -> list[Measured]:
    """A long run's memory after each round but the last; a server that grows is a fault."""
    sizes = inputs.sizes
    clients = sizes.clients[0] if sizes.clients else CLIENTS
    with tempfile.TemporaryDirectory() as scratch:
        config = trivial_config(Path(scratch), METHOD, sizes.rounds or ROUNDS)
        samples = watch_run(config, clients)
    summary = summarise(samples) | {"method": METHOD, "clients": clients}
    seen = samples[:-1]
    values = {
        "resident": [round(s.rss_kb / 1024, 1) for s in seen],
        "own heap": [round(s.heap_kb / 1024, 1) for s in seen],
    }
    told: dict[str, Scalar] = {"verdict": sentence(summary)}
    fault = "" if summary["flat"] else sentence(summary)
    title = "server memory, round after round"
    return [Measured("growth", title, "MB", "resident", values, 0, told, summary, fault)]


def trivial_config(folder: Path, method: str, rounds: int) -> RunConfig:
    """A run of which nothing takes long: two images a client, one attack step, no evaluation."""
    places = {"run-name": "server-memory", "output-dir": str(folder), "cache-dir": str(folder)}
    shards = {
        "dataset": "emojidomains",
        "partition": "pathological",
        "partition.classes-per-client": 2,
        "shots": 1,
        "device": "cpu",
    }
    short = {"attack-steps": 1, "robust-attack": "none", "evaluate-every": rounds}
    own = {"method": method, "rounds": rounds, "node-timeout": 900.0}  # of a busy machine
    return parse_config({**default_config(), **places, **shards, **short, **own})


def watch_run(config: RunConfig, clients: int) -> list[Sample]:
    """Run it, and look at its server after each round.

    Raises:
        DataError: the run failed, or its server could not be found.
    """
    samples: list[Sample] = []
    begun = time.monotonic()
    server: list[int] = []

    def on_event(event: Mapping[str, Any]) -> None:
        if event.get("event") == "start":
            server.extend(server_processes())
        elif event.get("event") == "round" and server:
            samples.append(sample(server[0], int(event["round"]), time.monotonic() - begun))
        show(event)

    with shown_progress(Console(), config) as show:
        outcome = run_simulation(config, clients, choose_resources(clients, "cpu"), on_event)
    if outcome.status != "completed" or len(samples) < 7:
        raise DataError(outcome.error or f"{len(samples)} rounds were seen; 7 or more are needed")
    return samples


def server_processes() -> list[int]:
    """Process ids of the servers that this process has started, directly or not."""
    parents = {}
    for entry in _PROC.glob("[0-9]*"):
        try:
            # The name stands in parentheses and may hold spaces; the parent is the second after.
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue  # ended meanwhile
    return [pid for pid in parents if _descends(pid, parents) and _is_server(pid)]


def _descends(pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _is_server(pid: int) -> bool:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    # A script is run by its interpreter: `python .../flwr-simulation --token ...`.
    return any(Path(os.fsdecode(word)).name == SERVER for word in words[:2])


def sample(pid: int, number: int, seconds: float) -> Sample:
    """A process as it is now; raises OSError when it has ended."""
    folder = _PROC / str(pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    rss, heap = (int(status[key].split()[0]) for key in ("VmRSS", "RssAnon"))
    files = len(os.listdir(folder / "fd"))
    return Sample(number, round(seconds, 1), rss, heap, files, int(status["Threads"]))


def fit_line(rounds: Sequence[float], values: Sequence[float]) -> Line:
    """Ordinary least squares of values on rounds; at least three points."""
    slope, offset = statistics.linear_regression(rounds, values)
    residuals = [v - slope * r - offset for r, v in zip(rounds, values, strict=True)]
    centre = statistics.fmean(rounds)
    spread = sum((r - centre) ** 2 for r in rounds)
    variance = sum(e * e for e in residuals) / (len(rounds) - 2)
    return Line(slope, (variance / spread) ** 0.5)


def summarise(samples: Sequence[Sample]) -> dict[str, Any]:
    """Slopes over the second half but its last round, open files at its two ends, the verdict."""
    half = list(samples[len(samples) // 2 : -1])
    rounds = [float(s.round) for s in half]
    rss = fit_line(rounds, [float(s.rss_kb) for s in half])
    heap = fit_line(rounds, [float(s.heap_kb) for s in half])
    return {
        "rounds": samples[-1].round,
        "seconds": samples[-1].seconds,
        "rss-mb": [round(s.rss_kb / 1024, 1) for s in (samples[0], half[0], half[-1])],
        "heap-mb": [round(s.heap_kb / 1024, 1) for s in (samples[0], half[0], half[-1])],
        "rss-kb-a-round": [round(rss.slope, 2), round(rss.error, 2)],
        "heap-kb-a-round": [round(heap.slope, 2), round(heap.error, 2)],
        "files": [s.files for s in (samples[0], half[0], half[-1])],
        "threads": [s.threads for s in (samples[0], half[0], half[-1])],
        "flat": heap.slope <= MOST_KILOBYTES and half[-1].files <= half[0].files,
    }


def sentence(summary: Mapping[str, Any]) -> str:
    """The summary in words."""
    first, half, last = summary["rss-mb"]
    rss, heap = (summary[f"{what}-kb-a-round"] for what in ("rss", "heap"))
    files, threads = (", ".join(map(str, summary[what])) for what in ("files", "threads"))
    return (
        f"{summary['method']}, {summary['clients']} clients, {summary['rounds']} rounds in "
        f"{summary['seconds']:.0f} s: server {first} MB after the first round, {half} half way, "
        f"{last} before the last; second half {rss[0]:+.2f} (+- {rss[1]:.2f}) KB a round, of which "
        f"its own heap {heap[0]:+.2f} (+- {heap[1]:.2f}); open files {files}; threads {threads}: "
        f"{'flat' if summary['flat'] else 'GROWS'}"
    )
