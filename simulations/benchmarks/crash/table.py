"""What crash.matrix has found: each crash, the file that keeps them, the table."""

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
class Cell:
    """One crash: what was killed where, and what came of it."""

    engine: str
    kind: str
    point: str
    repeat: int
    ended: str  # how the run that was disturbed ended
    kept: int  # the round of the checkpoint that was gone on from
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


def cells_of(crashes: Path) -> list[Cell]:
    """The crashes that a file holds; none if there is no file."""
    lines = crashes.read_text(encoding="utf-8").splitlines() if crashes.exists() else []
    return [Cell(**json.loads(line)) for line in lines]


def words(cell: Cell) -> str:
    """One line for one crash."""
    return (
        f"{cell.engine}: {cell.kind} killed {POINTS[cell.point]}: run {cell.ended}, went on after "
        f"round {cell.kept}, {'equal' if cell.equal else 'NOT EQUAL'} ({cell.seconds:.0f} s)"
    )


def table(cells: Sequence[Cell]) -> str:
    """Markdown: one row for each engine, kind and phase."""
    columns = ("engine", "killed", "when", "crashes", "the run then", "finished rounds lost")
    lines = [f"| {' | '.join((*columns, 'equal to undisturbed'))} |", "| --- " * 7 + "|"]
    rows: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.engine, cell.kind, cell.point), []).append(cell)
    for (engine, kind, point), row in sorted(
        rows.items(), key=lambda item: (item[0][0] != "simulation", item[0][1])
    ):
        ends = ", ".join(dict.fromkeys(cell.ended for cell in row))
        lost = sum(cell.rounds_lost for cell in row)
        alike = f"{sum(cell.equal for cell in row)} of {len(row)}"
        values = (engine, kind, POINTS[point], str(len(row)), ends, str(lost), alike)
        lines.append(f"| {' | '.join(values)} |")
    lost = sum(cell.rounds_lost for cell in cells)
    equal = sum(cell.equal for cell in cells)
    lines += ["", f"{len(cells)} crashes, {lost} finished rounds lost, {equal} equal in every bit."]
    return "\n".join(lines) + "\n"
