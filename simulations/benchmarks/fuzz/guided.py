"""One reader under atheris, whose mutations are guided by the lines that they reach.

    python -m simulations.benchmarks.fuzz.guided NAME FOLDER SECONDS SEED

It is a process of its own: libFuzzer ends it when the time is up, when one input takes more than
SLOWEST seconds, or when MEMORY is exceeded. FOLDER/tally.json says what came out so far, and every
input that led to a fault is kept beside it.
"""

import hashlib
import json
import logging
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from simulations.benchmarks.fuzz.edits import edited
from simulations.benchmarks.fuzz.reader import Outcome, Reader, judged

SLOWEST = 60  # seconds for one input, on a machine that does other things too
MEMORY = 4096  # MB of the process, torch included
LONGEST = 16384  # bytes of an input
TALLY, FAULTS = "tally.json", "faults"
# What is instrumented: our own readers, and those parts of others that are Python.
_INSTRUMENTED = [
    *("fedmvp_core.attributes", "fedmvp_core.backbone", "fedmvp_core.data", "fedmvp_core.tuned"),
    *("fedmvp_core.protocol", "fedmvp_core.run_folder", "fedmvp_core.user_files"),
    *("client_app.requests", "server_app.records", "server_app.replies", "server_app.cohort"),
    *("server_app.aggregation.flower_state", "simulations.report.run_data", "simulations.suite"),
    *("simulations.runner.named_runs", "simulations.runner.results", "simulations.attributes"),
    *("gzip", "json.decoder", "numpy.lib._format_impl", "PIL", "tomllib", "zipfile"),
    "xml.etree",
]


class Tally:
    """How many inputs ended how, and each fault once, by its place and its first words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ends: Counter[str] = Counter()
        self.faults: dict[str, str] = {}
        self._written = 0.0

    def count(self, outcome: Outcome, data: bytes) -> None:
        """Take down how one input ended."""
        self.ends["fault" if outcome.is_fault else outcome.end] += 1
        kind = f"{outcome.where} {outcome.end.partition(':')[0]}"
        if outcome.is_fault and kind not in self.faults:
            name = hashlib.sha256(data).hexdigest()[:12]
            (self.folder / FAULTS).mkdir(exist_ok=True)
            (self.folder / FAULTS / name).write_bytes(data)
            self.faults[kind] = f"{outcome.where}: {outcome.end} ({name})"
            self._written = 0.0
        if time.monotonic() - self._written > 1:
            self.write()

    def write(self) -> None:
        """Leave everything so far in FOLDER/tally.json."""
        content = {"ends": self.ends, "faults": sorted(self.faults.values())}
        (self.folder / TALLY).write_text(json.dumps(content), encoding="utf-8")
        self._written = time.monotonic()


def fuzz(reader: Reader, folder: Path, seconds: int, seed: int) -> None:
    """Fuzz until the time is up; libFuzzer ends the process."""
    import atheris

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(reader.sound()):
        (corpus / f"sound-{number}").write_bytes(data)
    tally = Tally(folder)

    def one_input(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = reader.prepare(Path(place))
            tally.count(judged(reader, path, data), data)

    def mutated(data: bytes, most: int, drawn: int) -> bytes:
        draw = random.Random(drawn)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return edited(data, draw)[:most]

    options = [
        *(f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SLOWEST}"),
        *(f"-rss_limit_mb={MEMORY}", f"-max_len={LONGEST}", f"-artifact_prefix={folder}/"),
        *("-verbosity=0", "-print_final_stats=0", str(corpus)),
    ]
    atheris.Setup([sys.argv[0], *options], one_input, custom_mutator=mutated)
    atheris.Fuzz()


def main() -> None:
    """Fuzz the reader that the command line names."""
    import atheris
    import flwr.app  # noqa: F401  # before the readers: to look at its modules takes a minute
    import torch  # noqa: F401

    name, folder, seconds, seed = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from simulations.benchmarks.fuzz.readers import READERS
    fuzz(READERS[name], Path(folder), int(seconds), int(seed))


if __name__ == "__main__":
    main()
