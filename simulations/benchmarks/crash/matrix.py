"""Kills each kind of process in each phase of a round, resumes, and compares with no crash.

    python -m simulations.benchmarks.crash.matrix --repeats 5 --output docs/crash_matrix.md

Each crash is a line of `--crashes` (JSON), and one that stands there is not repeated: the matrix
can be stopped and continued, and parts of it (`--engines`, `--points`) run beside one another.

A small run of two clients and two rounds is killed in its second round, which is the first of the
LoRA phase, and continued with `resume = "latest"`. Its final prompt tensors must be, bit for bit,
those of the undisturbed run, and no finished round may be lost. hooks/ stops the process at the
moment that is asked for. Processes are killed with SIGKILL, from outside.
"""

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.errors import FedMVPError
from fedmvp_core.run_folder import CHECKPOINTS
from server_app.records.checkpoints import latest_round
from simulations.benchmarks.crash.killing import hooked, kill_when_reached
from simulations.benchmarks.crash.table import POINTS, Crash, crashes_in, table, words
from simulations.deploy.local import run_deployment
from simulations.runner.named_runs import load_named_run
from simulations.runner.planning import plan_run
from simulations.runner.resources import choose_resources
from simulations.runner.simulate import RunOutcome, run_simulation

CLIENTS, ROUNDS = 2, 2
# Engine -> kind of process -> what its command line holds.
KINDS: dict[str, dict[str, str]] = {
    "simulation": {
        "SuperLink": "flower-superlink",
        "ServerApp": "flwr-simulation",
        "Ray worker": "ray::",
    },
    "deployment": {
        "SuperLink": "flower-superlink",
        "ServerApp": "flwr-serverapp",
        "SuperNode": "flower-supernode",
    },
}
CONFIG: dict[str, Scalar] = {
    "dataset": "emojidomains",
    "method": "fedmvp",
    "pretrained": "",
    "device": "cpu",
    "robust-attack": "none",
    "rounds": ROUNDS,
    "shots": 2,
    "batch-size": 8,
    "learning-rate": 0.05,
    "method.lora-threshold": 1e9,
    "evaluate-every": 100,
    "min-clients": CLIENTS,
    "node-timeout": 600,
}


def main() -> None:
    """Run what is not done of the matrix, print each crash, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--crashes", type=Path, default=Path("runs/crashes.jsonl"))
    parser.add_argument("--points", nargs="+", choices=POINTS, default=[*POINTS])
    parser.add_argument("--engines", nargs="+", choices=KINDS, default=[*KINDS])
    options = parser.parse_args()
    options.crashes.parent.mkdir(parents=True, exist_ok=True)
    for engine in options.engines:
        run_undone(engine, options.points, options.repeats, options.crashes)
    crashes = crashes_in(options.crashes)
    if options.output:
        options.output.write_text(table(crashes), encoding="utf-8")
    print(table(crashes))
    sys.exit(any(crash.rounds_lost or not crash.equal for crash in crashes))


def run_undone(engine: str, points: Sequence[str], repeats: int, crashes: Path) -> None:
    """Every crash of one engine that `crashes` does not hold, each written there at once."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        root = Path(folder)
        for repeat in range(1, repeats + 1):
            for point in points:
                for kind in KINDS[engine]:
                    cell = (engine, kind, point, repeat)
                    if any(cell == done.name for done in crashes_in(crashes)):
                        continue
                    run_undisturbed(root, engine)
                    done = crash(root, crashes.parent / "unequal", *cell)
                    print(words(done), flush=True)
                    with crashes.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(done)) + "\n")


def run_undisturbed(root: Path, engine: str) -> None:
    """Play the undisturbed run, unless it was played before."""
    config = small_config(root, f"{engine}-undisturbed")
    if final(root / config.run.run_name) is None:
        outcome = run_of(engine)(config)
        if outcome.status != "completed":
            raise FedMVPError(f"the undisturbed {engine} {outcome.status}: {outcome.error}")


def small_config(root: Path, name: str) -> RunConfig:
    """The configuration of one run."""
    folders: dict[str, Scalar] = {"output-dir": str(root), "cache-dir": str(root / "cache")}
    return plan_run(load_named_run("demo"), CONFIG | folders | {"run-name": name}, CLIENTS).config


def run_of(engine: str) -> Callable[[RunConfig], RunOutcome]:
    """Plays a run on one of the engines."""

    def simulated(config: RunConfig) -> RunOutcome:
        resources = choose_resources(CLIENTS, "cpu", CLIENTS, None)
        return run_simulation(config, CLIENTS, resources, lambda event: None)

    def deployed(config: RunConfig) -> RunOutcome:
        return run_deployment(config, CLIENTS, lambda event: None, tls=False)

    return simulated if engine == "simulation" else deployed


def crash(root: Path, evidence: Path, engine: str, kind: str, point: str, repeat: int) -> Crash:
    """Disturb a run, resume it, compare; what is not equal is kept in `evidence`."""
    begun = time.monotonic()
    config = small_config(root, f"{engine}-{point}-{kind.replace(' ', '-')}-{repeat}")
    control = Path(tempfile.mkdtemp(dir=root))
    killer = threading.Thread(target=kill_when_reached, args=(control, KINDS[engine][kind]))
    with hooked(control, point):
        killer.start()
        outcome = run_of(engine)(config)
        (control / "over").touch()
        killer.join()
    if not (control / "killed").exists():
        raise FedMVPError(f"{kind} was not killed at '{point}': {outcome.error}")
    folder = root / config.run.run_name
    kept = latest_round(folder / CHECKPOINTS)
    resumed = outcome
    if outcome.status != "completed":
        resumed = run_of(engine)(config.with_values(resume="latest"))
    undisturbed = root / f"{engine}-undisturbed"
    equal = same_bits(final(folder), final(undisturbed))
    if not equal:
        print(f"the resumed run {resumed.status}: {resumed.error}", flush=True)
        for source in (folder, undisturbed):
            shutil.copytree(source, evidence / source.name, dirs_exist_ok=True)
    seconds = time.monotonic() - begun
    kept = -1 if kept is None else kept
    return Crash(engine, kind, point, repeat, outcome.status, kept, equal, seconds)


def final(folder: Path) -> dict[str, Tensor] | None:
    """The prompt tensors after the last round, if the run came so far."""
    path = folder / CHECKPOINTS / f"round-{ROUNDS:04d}.safetensors"
    return load_file(path) if path.exists() else None


def same_bits(found: dict[str, Tensor] | None, wanted: dict[str, Tensor] | None) -> bool:
    """Whether two sets of tensors are equal in every bit."""
    if found is None or wanted is None or found.keys() != wanted.keys():
        return False
    return all(
        found[name].numpy().tobytes() == value.numpy().tobytes() for name, value in wanted.items()
    )


if __name__ == "__main__":
    main()
