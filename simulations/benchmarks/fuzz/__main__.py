"""Coverage-guided fuzzing of every reader of what others wrote: pip install atheris.

    python -m simulations.benchmarks.fuzz all --seconds 60
    python -m simulations.benchmarks.fuzz idx-images export --seconds 600 --output faults

A damaged file must be read as the same kind of value, or be refused with one of the project's own
errors that names it (reader.py). Printed is what came out, a line a reader. Inputs that led to
faults are kept in the output folder, and so is the corpus, from which a later call goes on.
"""

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from simulations.benchmarks.fuzz import guided
from simulations.benchmarks.fuzz.readers import READERS

ALL = "all"


def fuzzed(name: str, folder: Path, seconds: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Inputs by how they ended, and the faults, of one reader in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / guided.TALLY).unlink(missing_ok=True)
    words = [sys.executable, "-m", guided.__name__, name, str(folder), str(seconds), str(seed)]
    log = folder / "log.txt"
    with log.open("w") as stream:
        done = subprocess.run(words, stdout=stream, stderr=stream, check=False)
    tally = folder / guided.TALLY
    content = json.loads(tally.read_text()) if tally.exists() else {"ends": {}, "faults": []}
    if done.returncode != 0:
        content["faults"].append(f"the process ended with {done.returncode}: see {log}")
    return content["ends"], content["faults"]


def main() -> None:
    """Fuzz the readers that are asked for; exit with 1 if there is a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("readers", nargs="+", choices=[ALL, *READERS], metavar="READER")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("fuzz"))
    options = parser.parse_args()
    if find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install atheris")
    names = list(READERS) if ALL in options.readers else options.readers
    faults = 0
    for name in names:
        folder = options.output.absolute() / name
        ends, found = fuzzed(name, folder, options.seconds, options.seed)
        counts = ", ".join(f"{count:,} {end}" for end, count in sorted(ends.items()))
        print(f"{name:24} {counts}", flush=True)
        for fault in found:
            print(f"    FAULT {fault}", flush=True)
        faults += len(found)
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
