"""How long things take to begin: a fresh interpreter, an import, a command, a first round."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fedmvp_core.errors import FedMVPError
from simulations.bench.inputs import Inputs
from simulations.bench.paired import take_turns
from simulations.bench.record import Measured

BARE = "python -c pass"
_FEDMVP = ("-c", "from simulations.cli import main; main()")


def measure(inputs: Inputs) -> list[Measured]:
    """Whole processes, each from its start to its end; torch's own import beside ours.

    "first round" is `fedmvp run` of one round of the demo on the inline engine, the frozen
    features not yet encoded, with the test of its end.
    """
    turns = inputs.sizes.turns
    with tempfile.TemporaryDirectory() as scratch:
        one = ("rounds=1", "robust-attack=none", f"output-dir={scratch}")
        fast = {
            BARE: ("-c", "pass"),
            "import torch": ("-c", "import torch"),
            "import fedmvp": ("-c", "import fedmvp"),
            "fedmvp list": (*_FEDMVP, "list", "--output-dir", scratch),
        }
        sides = {name: partial(_process, words) for name, words in fast.items()}
        sides["first round"] = partial(_first_round, Path(scratch), one)
        values = take_turns(sides, turns)
    return [Measured("start", "from nothing to", "s", BARE, values)]


def _first_round(scratch: Path, words: Sequence[str]) -> None:
    """With an empty cache."""
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        run = ("run", "demo", *words, f"cache-dir={cache}")
        _process((*_FEDMVP, *run, "--engine", "inline", "--no-report", "--overwrite"))


def _process(words: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FedMVPError(f"python {' '.join(words)} ended with {done.returncode}: {done.stderr}")
