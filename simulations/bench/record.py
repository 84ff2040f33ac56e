"""What a measurement leaves: one JSON of values, with the machine, the versions and the source."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fedmvp_core.config import Scalar
from fedmvp_core.errors import DataError
from simulations.bench.paired import spread

FORMAT = 1


@dataclass(frozen=True)
class Measured:
    """One table of numbers.

    part: its name on the command line. title: what was measured. unit: "s" or "MB". base: the side
    that others are compared with. values: by side, one a turn. images: how many a value in seconds
    stands for; 0: it stands for none. config: what it was measured with. facts: other numbers; one
    that has a value for each side is a column of the table. fault: what is wrong, in a sentence.
    """

    part: str
    title: str
    unit: str
    base: str
    values: dict[str, list[float]]
    images: int = 0
    config: Mapping[str, Scalar] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True)
class Record:
    """All that one call measured, and where.

    machine: device, threads, versions, commit, time, command.
    """

    machine: dict[str, Any]
    parts: list[Measured]


def write_record(path: Path, record: Record) -> None:
    """Write it as JSON, with medians and quartiles beside the values."""
    parts = [
        {**asdict(part), "spread": {name: asdict(spread(own)) for name, own in part.values.items()}}
        for part in record.parts
    ]
    content = {"format": FORMAT, "machine": record.machine, "parts": parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """What `write_record` wrote.

    Raises:
        DataError: there is no such file, or it is none of `fedmvp bench`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise DataError(f"{path} has format {content['format']}; allowed: {FORMAT}")
        parts = [
            Measured(**{name: part[name] for name in Measured.__dataclass_fields__})
            for part in content["parts"]
        ]
        return Record(content["machine"], parts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no JSON of fedmvp bench: {error}") from None


def machine(device: str, threads: int, command: Sequence[str], source: Path) -> dict[str, Any]:
    """Where something is measured, and with what.

    device: in words. source: the folder of the sources, whose commit is named if git knows it.
    """
    return {
        "device": device,
        "threads": threads,
        "cpus": os.cpu_count(),
        "torch": version("torch"),
        "flwr": version("flwr"),
        "fedmvp": version("fedmvp"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "commit": commit(source),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
    }


def commit(source: Path) -> str:
    """The commit of a checkout, with a + if files differ from it; "" where git knows none."""
    git = shutil.which("git")
    if git is None or not (source / ".git").exists():
        return ""

    def told(*words: str) -> str:
        done = subprocess.run(
            [git, "-C", str(source), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    head = told("rev-parse", "--short=12", "HEAD")
    return head + ("+" if head and told("status", "--porcelain", "--untracked-files=no") else "")
