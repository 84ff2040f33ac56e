"""The crashes that were tried: the file that keeps them, and their table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KILLED_ROUND = 2
POINTS = {
    "before": "before local training",
    "during": "during local training",
    "after": "after local training",
    "aggregation": "during aggregation",
    "checkpoint": "during the checkpoint's write",
}


@dataclass(frozen=True)
class Crash:
    """One crash: what was killed where, and what came of it."""

    engine: str
    kind: str
    point: str
    repeat: int
    ended: str  # how the run that was disturbed ended
    kept: int  # the round of the checkpoint from which the run was resumed
    equal: bool
    seconds: float

    @property
    def name(self) -> tuple[str, str, str, int]:
        """What was done, by which a crash is known."""
        return self.engine, self.kind, self.point, self.repeat

    @property
    def rounds_lost(self) -> int:
        """Finished rounds that had to be done again."""
        return max(0, KILLED_ROUND - 1 - self.kept)


def crashes_in(file: Path) -> list[Crash]:
    """The crashes that a file holds; none if there is no file."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Crash(**json.loads(line)) for line in lines]


def words(crash: Crash) -> str:
    """One line for one crash."""
    return (
        f"{crash.engine}: {crash.kind} killed {POINTS[crash.point]}: run {crash.ended}, "
        f"went on after round {crash.kept}, {'equal' if crash.equal else 'NOT EQUAL'} "
        f"({crash.seconds:.0f} s)"
    )


def table(crashes: Sequence[Crash]) -> str:
    """Markdown: one row for each engine, kind and phase."""
    columns = ("engine", "killed", "when", "crashes", "the run then", "finished rounds lost")
    lines = [f"| {' | '.join((*columns, 'equal to undisturbed'))} |", "| --- " * 7 + "|"]
    rows: dict[tuple[str, str, str], list[Crash]] = {}
    for crash in crashes:
        rows.setdefault((crash.engine, crash.kind, crash.point), []).append(crash)
    for (engine, kind, point), row in sorted(
        rows.items(), key=lambda item: (item[0][0] != "simulation", item[0][1])
    ):
        ends = ", ".join(dict.fromkeys(crash.ended for crash in row))
        lost = sum(crash.rounds_lost for crash in row)
        alike = f"{sum(crash.equal for crash in row)} of {len(row)}"
        values = (engine, kind, POINTS[point], str(len(row)), ends, str(lost), alike)
        lines.append(f"| {' | '.join(values)} |")
    lost = sum(crash.rounds_lost for crash in crashes)
    equal = sum(crash.equal for crash in crashes)
    lines += [
        "",
        f"{len(crashes)} crashes, {lost} finished rounds lost, {equal} equal in every bit.",
    ]
    return "\n".join(lines) + "\n"
