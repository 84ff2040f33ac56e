"""Short federations of the demo whose rounds are timed: nothing is tested or attacked in them."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pandas as pd

from fedmvp_core.config import Scalar
from fedmvp_core.errors import FedMVPError
from fedmvp_core.run_folder import COMPLETED
from simulations.console import Console
from simulations.report.run_data import RunData, read_run
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import Plan, plan_run
from simulations.runner.reporting import run_plan

# Training alone: the central evaluation and its attacks are the server's.
TRAINING: Mapping[str, Scalar] = {
    "rounds": 4,
    "evaluate-every": 1_000_000,
    "robust-attack": "none",
}


@contextmanager
def timed_run(
    words: Mapping[str, Scalar],
    clients: int,
    engine: str,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
) -> Iterator[tuple[Plan, RunData]]:
    """The demo with other words, run in a folder that is removed afterwards.

    Raises:
        FedMVPError: the run did not complete.
    """
    with tempfile.TemporaryDirectory() as scratch:
        places: dict[str, Scalar] = {
            "run-name": "bench",
            "output-dir": scratch,
            "cache-dir": f"{scratch}/cache",
        }
        overrides = {**TRAINING, **words, **places}
        at_once = (clients_at_once, clients_per_gpu)
        plan = plan_run(load_named_run("demo"), overrides, clients, *at_once, engine)
        outcome = run_plan(plan, Console(stderr=True))
        if outcome.status != COMPLETED:
            raise FedMVPError(f"the run {outcome.status}: {outcome.error}")
        yield plan, read_run(outcome.folder)


def seconds_of_rounds(run: RunData) -> tuple[pd.Series, pd.Series]:
    """Of each round but the first, which encodes frozen features: in all, and of local training."""
    timed = run.metrics[(run.metrics["metric"] == "seconds") & (run.metrics["round"] > 1)]
    server = timed["split"] == "train"
    rounds = timed[server].set_index("round")["value"]
    return rounds, timed[~server].groupby("round")["value"].sum()
