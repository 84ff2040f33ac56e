"""A long federation that is disturbed in every way, against the same one undisturbed.

    python -m simulations.benchmarks.long_haul --rounds 1000 --clients 50

In each round a twentieth of the clients crash, a twentieth always lie. Twice the disk is full and
twice the server's process is killed with SIGKILL; each time the run is taken up. It must end with
all rounds, each in its tables once, and every checkpoint must hold the bits of the undisturbed
run's. The inline engine plays it. Needs root, to mount a small disk that may be filled.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedmvp_core.run_folder import APP_LOG, CHECKPOINTS, METRICS, read_status
from simulations.bench.scale import write_backbone, write_pictures
from simulations.benchmarks.long_haul.disturbed import FILL, KILL, play_disturbed, play_undisturbed
from simulations.benchmarks.long_haul.play import CRASH

UNDISTURBED, DISTURBED = "undisturbed", "disturbed"
_PICTURES = 4  # a client's: of several classes, so that there is something to learn
_ROW = "| {:<44} | {:>24} |"


def main() -> None:
    """Play both runs, print what was seen; the exit code is 0 if all of it is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--disk-mb", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, small_disk(Path(scratch), options.disk_mb):
        facts = long_haul(Path(scratch), options.clients, options.rounds)
    print(_ROW.format("what", "seen"))
    print("| --- | ---: |")
    for name, value in facts.items():
        print(_ROW.format(name, str(value)))
    sys.exit(not all(value for value in facts.values() if isinstance(value, bool)))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Inside the block the folder is a disk of its own, in memory."""
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def long_haul(folder: Path, clients: int, rounds: int) -> dict[str, object]:
    """Play both runs in a folder that is a disk of its own; what was seen, by its words."""
    write_pictures(folder / "pictures", clients * _PICTURES)
    write_backbone(folder / "clip")
    plan = [(rounds * (i + 1) // 5, kind) for i, kind in enumerate((FILL, KILL, FILL, KILL))]
    begun = time.monotonic()
    play_undisturbed([str(folder), UNDISTURBED, str(clients), str(rounds)])
    between = time.monotonic()
    told = [str(folder), DISTURBED, str(clients), str(rounds)]
    taken_up = play_disturbed(told, folder, DISTURBED, plan)
    ended = time.monotonic()
    runs = [folder / name for name in (UNDISTURBED, DISTURBED)]
    log = (runs[0] / APP_LOG).read_text(encoding="utf-8")
    broken_off = {f"{kind}, round {at}": f"taken up after {kept}" for at, kind, kept in taken_up}
    return {
        "clients": clients,
        "rounds asked": rounds,
        "clients' crashes": log.count(f"RuntimeError: {CRASH}"),
        **broken_off,
        "rounds completed": read_status(runs[1])["rounds-completed"],
        "each round stands in metrics.csv as often": rows_of(runs[0]) == rows_of(runs[1]),
        "checkpoints": len(kept_tensors(runs[1])),
        "different checkpoints": len(set(kept_tensors(runs[1]).values())),
        "checkpoints equal in every bit": kept_tensors(runs[0]) == kept_tensors(runs[1]),
        "seconds, undisturbed": round(between - begun),
        "seconds, disturbed": round(ended - between),
        "run folder, MB": round(sum(p.stat().st_size for p in runs[1].rglob("*")) / 1e6, 1),
    }


def rows_of(run: Path) -> Counter[tuple[str, str, str]]:
    """How often each metric of each round and split stands in the table."""
    with (run / METRICS).open(encoding="utf-8", newline="") as file:
        return Counter((row["round"], row["split"], row["metric"]) for row in csv.DictReader(file))


def kept_tensors(run: Path) -> dict[str, bytes]:
    """The bytes of every checkpoint's tensors."""
    return {path.name: path.read_bytes() for path in (run / CHECKPOINTS).glob("*.safetensors")}


if __name__ == "__main__":
    main()
