"""What a federation costs as it grows: 10, 100, 1,000 and 5,000 clients of a trivial method.

The inline engine plays everybody in one process, so that what is left beside the clients' steps is
messages and the server's own work. Each client has one generated picture; the backbone has one
layer of width 16, and the method trains 16 numbers. Times are of the processor, not of the clock:
they are nearly the same beside other work. A line through the measurements says what another number
of clients takes.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from fedmvp_core.config import Scalar, parse_config
from fedmvp_core.errors import FedMVPError
from fedmvp_core.run_folder import COMPLETED, run_folder
from simulations.bench.cost_model import fitted, foretold
from simulations.bench.federation import seconds_of_rounds
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.report.run_data import read_run
from simulations.runner.inline import run_inline
from simulations.runner.overrides import parse_overrides
from simulations.runner.project import default_config

CLIENTS, QUICK = (10, 100, 1000, 5000), (4, 8)
ROUNDS = 3
METHOD: Mapping[str, Scalar] = {"method": "fedvpt", "method.prompt-length": 1}  # 16 numbers
TO_FORETELL = (100, 10_000, 100_000, 1_000_000)
_CLASSES, _TESTED = 10, 2  # test pictures of each class


def measure(inputs: Inputs) -> list[Measured]:
    """One table for each quantity, with a column for what the fitted line says."""
    clients = inputs.sizes.clients or (QUICK if inputs.sizes.quick else CLIENTS)
    rounds = inputs.sizes.rounds or ROUNDS
    seen = [_in_a_process(number, rounds, inputs.words) for number in clients]
    told: dict[str, Scalar] = {**METHOD, "engine": "inline", "rounds": rounds, **inputs.words}
    found = []
    for name, (unit, values) in _columns(seen).items():
        line = fitted(clients, values)
        sides = {f"{n:,} clients": [value] for n, value in zip(clients, values, strict=True)}
        says = {side: round(line(n), 4) for side, n in zip(sides, clients, strict=True)}
        facts = {"the line says": says, **foretold(line, TO_FORETELL)}
        found.append(Measured("scale", name, unit, next(iter(sides)), sides, 0, told, facts))
    return found


def _columns(seen: Sequence[Mapping[str, float]]) -> dict[str, tuple[str, list[float]]]:
    units = {"memory": "MB", "a checkpoint": "MB", "run folder": "MB", "bytes a round": "MB"}
    return {name: (units.get(name, "CPU s"), [one[name] for one in seen]) for name in seen[0]}


def _in_a_process(clients: int, rounds: int, words: Mapping[str, Scalar]) -> dict[str, float]:
    """Of its own, so that its memory is that of this run.

    Raises:
        FedMVPError: the run failed.
    """
    texts = [f"{key}={value}" for key, value in words.items()]
    command = [sys.executable, "-m", __name__, str(clients), str(rounds), *texts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FedMVPError(f"the run of {clients} clients failed: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def play(clients: int, rounds: int, words: Mapping[str, Scalar]) -> dict[str, float]:
    """Play one federation and say what it took.

    Raises:
        FedMVPError: it did not complete.
    """
    with tempfile.TemporaryDirectory() as scratch:
        write_pictures(Path(scratch) / "pictures", clients)
        write_backbone(Path(scratch) / "clip")
        config = parse_config({**trivial_run(Path(scratch), rounds), **words})
        times: list[tuple[str, float]] = [("begun", time.process_time())]

        def on_event(event: Mapping[str, object]) -> None:
            times.append((str(event["event"]), time.process_time()))

        outcome = run_inline(config, clients, on_event)
        if outcome.status != COMPLETED:
            raise FedMVPError(outcome.error or "the run did not complete")
        ended = time.process_time()
        folder = run_folder(config.run)
        run = read_run(folder)
        metrics = run.metrics
        last = metrics[(metrics["split"] == "train") & (metrics["round"] == rounds)]
        moved = last[last["metric"].isin(["bytes-up", "bytes-down"])]["value"].sum()
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        kept = [p.stat().st_size for p in (folder / "checkpoints").rglob("*") if p.is_file()]
    whole, steps = seconds_of_rounds(run)
    # The event of a round is heard at the end of the next one's exchange.
    heard = [at for event, at in times if event == "round"]
    a_round = (heard[-2] - heard[0]) / (len(heard) - 2)
    share = float((steps / whole).median())  # of the clock, which runs alike for both
    return {
        "the start and round 1": heard[0] - times[0][1] - a_round,
        "a round": a_round,
        "a round without local steps": a_round * (1 - share),
        "the end": ended - heard[-2],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes a round": moved / 1e6,
        "a checkpoint": sum(kept) / 1e6 / (rounds + 1),
        "run folder": sum(sizes) / 1e6,
    }


def trivial_run(scratch: Path, rounds: int) -> dict[str, Scalar]:
    """The whole configuration of a run with the pictures and the backbone in `scratch`."""
    return {
        **default_config(),
        "run-name": "scale",
        "output-dir": str(scratch),
        "cache-dir": str(scratch / "cache"),
        "dataset": "imagefolder",
        "data-dir": str(scratch / "pictures"),
        "partition": "iid",
        "setting": "few-shot",
        "shots": 0,
        "rounds": rounds,
        "evaluate-every": 1_000_000,
        "robust-attack": "none",
        "backbone": str(scratch / "clip"),
        "pretrained": "",
        "device": "cpu",
        "local-epochs": 1,
        "method-options": "",
        "objective-options": "",
        **METHOD,
    }


def write_pictures(root: Path, clients: int) -> None:
    """One picture of 8 x 8 pixels for each client, and a few to test on, in ten classes."""
    draw = np.random.default_rng(0)
    for split, count in (("train", clients), ("test", _CLASSES * _TESTED)):
        for label in range(_CLASSES):
            (root / split / f"class {label}").mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / split / f"class {i % _CLASSES}" / f"{i:06d}.png")


def write_backbone(folder: Path) -> None:
    """A CLIP with random weights whose steps take next to nothing, in open_clip's form."""
    width, layer = 16, {"layers": 1, "width": 16}
    architecture = {
        "embed_dim": width,
        "vision_cfg": {**layer, "image_size": 8, "patch_size": 8, "head_width": 8},
        "text_cfg": {**layer, "context_length": 77, "vocab_size": 49408, "heads": 2},
    }
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": architecture}))
    torch.manual_seed(0)
    weights = open_clip.CLIP(**architecture).state_dict()
    save_file(
        {n: w.contiguous() for n, w in weights.items()}, folder / "open_clip_model.safetensors"
    )


def main() -> None:
    """Play one federation and print what it took: python -m simulations.bench.scale CLIENTS ROUNDS
    [KEY=VALUE]...
    """
    clients, rounds, *words = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = play(int(clients), int(rounds), parse_overrides(words, default_config()))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
