"""What a run is doing now: its round, the time left, who answered, what was refused."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmvp_core.run_folder import APP_LOG, CHECKPOINTS, PROGRESS, RUNNING, STATUS
from simulations.report.run_data import RunData
from simulations.report.splits import client_splits
from simulations.report.summary import client_rows

STRIP_ROUNDS = 30  # of which a client's row shows whether it counted
MOST_CLIENTS = 200  # rows of the table
MOST_REFUSED = 30
_PACE_ROUNDS = 5  # from which the time left is told
_LOG_LINES, _LOG_BYTES = 40, 16_000
_SENDER = re.compile(r"client (\d+)\b")
_CHECKPOINT = re.compile(r"round-(\d+)\.json")


@dataclass(frozen=True)
class Now:
    """Where a run stands.

    doing: in words. heard: when it last wrote anything, ends: when it will be through at its
    present pace, both in seconds since the epoch; ends is None while that is not known.
    """

    running: bool
    rounds: int
    done: int
    doing: str
    heard: float
    ends: float | None

    @property
    def share(self) -> float:
        """Of the rounds, in [0, 1]."""
        return min(self.done / self.rounds, 1.0) if self.rounds else 0.0


@dataclass(frozen=True)
class ClientNow:
    """One client; NaN where a number is unknown.

    answers: rounds that its update is part of; refused: its replies that did not count. counted:
    for each of the last rounds "yes", "refused", or "" if it was not in it. seconds: of its last
    training. zero_shot, tuned: on its own classes, fractions.
    """

    name: str
    pictures: int
    classes: int
    answers: int
    refused: int
    counted: tuple[str, ...]
    seconds: float
    loss: float
    zero_shot: float
    tuned: float


def now_of(run: RunData) -> Now:
    """Where the run stands, by its files and when they were written."""
    rounds = run.status.get("rounds") or run.event("start").get("rounds") or 0
    done = run.status.get("rounds-completed") or 0
    running = run.status.get("status") == RUNNING
    return Now(
        running=running,
        rounds=int(rounds),
        done=int(done),
        doing=_doing(run.events[-1] if run.events else {}, int(rounds)) if running else "",
        heard=heard(run.folder),
        ends=_ends(run, int(done), int(rounds)) if running else None,
    )


def _doing(event: dict[str, Any], rounds: int) -> str:
    """What follows an event of progress.jsonl."""
    kind, number = event.get("event"), event.get("round", 0)
    of = f"round {number} of {rounds}"
    if kind == "asked":
        return f"{of}: {event.get('clients')} clients train"
    if kind == "answered":
        return f"{of}: {event.get('answered')} of {event.get('clients')} clients have answered"
    if kind == "repeat":
        return f"{of} is repeated: {event.get('reason')}"
    if kind in ("round", "refused"):
        return f"{of} is averaged and tested"
    if kind in ("evaluation", "robust-evaluation"):
        return "testing, or attacking, all test pictures" if number == rounds else f"{of} is tested"
    return "loading weights and data, and testing the untrained prompts"


def _ends(run: RunData, done: int, rounds: int) -> float | None:
    """By the pace of the last rounds of this process, tests included."""
    begun = int(run.event("resume").get("round", 0))
    times = {number: t for number, t in _round_times(run.folder).items() if begun <= number <= done}
    recent = sorted(times)[-_PACE_ROUNDS - 1 :]
    if len(recent) < 2:
        return None
    first, last = recent[0], recent[-1]
    pace = (times[last] - times[first]) / (last - first)
    return times[last] + pace * (rounds - last)


def _round_times(folder: Path) -> dict[int, float]:
    """When each round's checkpoint was written."""
    places = (folder / CHECKPOINTS).glob("round-*.json")
    found = ((_CHECKPOINT.fullmatch(path.name), path) for path in places)
    return {int(match[1]): _written(path) for match, path in found if match}


def heard(folder: Path) -> float:
    """When a run last wrote anything, in seconds since the epoch; 0 if it never did."""
    return max(_written(folder / name) for name in (PROGRESS, STATUS))


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def clients_of(run: RunData) -> list[ClientNow]:
    """A row for each client that holds a shard or has answered, in the order of partition ids."""
    last = max((event.get("round", 0) for event in run.events), default=0)
    shown = range(max(last - STRIP_ROUNDS, 0) + 1, last + 1)
    own = run.metrics[run.metrics["split"].isin(client_splits(run))]
    answered = own[own["metric"] == "bytes-up"].groupby("split")["round"].agg(set).to_dict()
    refused = _refusals(run)
    rows = []
    for row in client_rows(run)[:MOST_CLIENTS]:
        index = int(row.name.removeprefix("client "))
        split = f"client-{index:03d}"
        in_rounds, not_in = answered.get(split, set()), refused.get(index, [])
        marks = ("yes" if n in in_rounds else "refused" if n in not_in else "" for n in shown)
        rows.append(
            ClientNow(
                name=row.name,
                pictures=row.pictures,
                classes=row.classes,
                answers=len(in_rounds),
                refused=len(not_in),
                counted=tuple(marks),
                seconds=_last(run, split, "seconds"),
                loss=_last(run, split, "train-loss"),
                zero_shot=row.zero_shot,
                tuned=row.tuned,
            )
        )
    return rows


def _refusals(run: RunData) -> dict[int, list[int]]:
    """Partition id -> the rounds of its replies that did not count, as far as the reasons tell."""
    found: dict[int, list[int]] = {}
    for event in run.events:
        if event.get("event") == "refused":
            sender = _SENDER.match(str(event.get("reason")))
            if sender:
                found.setdefault(int(sender[1]), []).append(int(event.get("round", 0)))
    return found


def _last(run: RunData, split: str, metric: str) -> float:
    values = run.series(split, metric).dropna()
    return float(values.iloc[-1]) if len(values) else math.nan


def refused_of(run: RunData) -> list[dict[str, Any]]:
    """The last replies that did not count, the newest first: round, kind, reason."""
    refused = [event for event in run.events if event.get("event") == "refused"]
    return refused[: -MOST_REFUSED - 1 : -1]


def log_tail(folder: Path) -> str:
    """The last lines that server and clients printed; "" if there are none."""
    try:
        with (folder / APP_LOG).open("rb") as file:
            file.seek(max(file.seek(0, 2) - _LOG_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_LINES:])
