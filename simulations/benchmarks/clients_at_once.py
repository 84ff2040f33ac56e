"""How much faster a round is when clients train side by side, on one GPU or on several CPU cores.

    python -m simulations.benchmarks.clients_at_once --per-gpu 1 2 4 --supernodes 8 \
        backbone=ViT-B-16 pretrained= precision=bf16 rounds=4
    python -m simulations.benchmarks.clients_at_once --at-once 1 2 --supernodes 6

Real runs under Flower and Ray, one for each number, without central evaluation between the rounds.
The first round, in which frozen features are encoded, is left out; of the others the median counts.
"Training" is the share of the clients' time that is spent in local training. The rest goes to
messages, checks, aggregation and the checkpoint.
"""

import argparse
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fedmvp_core.config import Scalar
from simulations.console import Console
from simulations.report.run_data import read_run
from simulations.runner.named_runs import load_named_run
from simulations.runner.overrides import parse_overrides
from simulations.runner.planning import Plan, plan_run
from simulations.runner.project import default_config
from simulations.runner.reporting import run_plan
from simulations.runner.resources import used_gpu_memory

# Training alone: the central evaluation and its attacks are the server's.
_TRAINING: dict[str, Scalar] = {"rounds": 4, "evaluate-every": 1000, "robust-attack": "none"}
_GLANCE_SECONDS = 0.5


def main() -> None:
    """Run each number of clients at once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-gpu", type=int, nargs="+", default=[])
    parser.add_argument("--at-once", type=int, nargs="+", default=[])
    parser.add_argument("--supernodes", type=int, default=6)
    parser.add_argument("words", nargs="*", help="KEY=VALUE of the run's configuration")
    options = parser.parse_intermixed_args()
    words = parse_overrides(options.words, default_config())
    with tempfile.TemporaryDirectory() as scratch:
        places: dict[str, Scalar] = {"output-dir": scratch, "cache-dir": f"{scratch}/cache"}
        overrides = {**_TRAINING, **words, **places}
        plans = [
            _plan(overrides, options.supernodes, at_once, per_gpu)
            for at_once, per_gpu in [
                *((None, number) for number in options.per_gpu),
                *((number, None) for number in options.at_once),
            ]
        ]
        print(_table([_timed(plan) for plan in plans]))


def _plan(
    overrides: dict[str, Scalar], supernodes: int, at_once: int | None, per_gpu: int | None
) -> Plan:
    named: dict[str, Scalar] = {"run-name": f"at-once-{at_once or per_gpu}"}
    return plan_run(load_named_run("demo"), {**overrides, **named}, supernodes, at_once, per_gpu)


@dataclass(frozen=True)
class TimedRun:
    """at_once: clients. seconds: of a round. rate: images a second. training: share of the time.

    memory: most bytes in use on the GPUs.
    """

    at_once: int
    seconds: float
    rate: float
    training: float
    memory: int


def _timed(plan: Plan) -> TimedRun:
    with _watched_memory() as seen:
        outcome = run_plan(plan, Console(stderr=True))
    if outcome.status != "completed":
        raise SystemExit(f"the run {outcome.status}: {outcome.error}")
    run = read_run(outcome.folder)
    timed = run.metrics[(run.metrics["metric"] == "seconds") & (run.metrics["round"] > 1)]
    rounds = timed[timed["split"] == "train"]["value"]
    trained = timed[timed["split"] != "train"]["value"]
    places = plan.resources.clients_at_once
    images = sum(shard.num_examples for shard in run.shards) * plan.config.training.local_epochs
    return TimedRun(
        at_once=places,
        seconds=float(rounds.median()),
        rate=images / float(rounds.median()),
        training=float(trained.sum() / (places * rounds.sum())),
        memory=max(seen, default=0),
    )


@contextmanager
def _watched_memory() -> Iterator[list[int]]:
    """Bytes in use on the GPUs, looked at now and then while the block runs."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_GLANCE_SECONDS):
            seen.append(used_gpu_memory())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _table(rows: Sequence[TimedRun]) -> str:
    lines = [
        "| clients at once | seconds a round | images a second | times as fast | training "
        "| GPU memory |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        memory = f"{row.memory / 1e9:.1f} GB" if row.memory else "-"
        lines.append(
            f"| {row.at_once} | {row.seconds:.2f} | {row.rate:,.0f} "
            f"| {rows[0].seconds / row.seconds:.2f} | {row.training:.0%} | {memory} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
