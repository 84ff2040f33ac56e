"""What `fedmvp attack` and `fedmvp alarm` found of a run afterwards, from its attacks folder."""

import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fedmvp_core.run_folder import ATTACKS, read_object
from simulations.attack.names import WORST_CASE, AttackName

logger = logging.getLogger(__name__)

ALARM = "alarm.json"
# As simulations.attack.tables writes them; that module is not imported, since it needs torch.
_COLUMNS = ["split", "attack", "steps", "epsilon", "defence", "round", "images"]
_LEFT = ["zero_shot_clean", "zero_shot_robust", "tuned_clean", "tuned_robust"]


@dataclass(frozen=True)
class LaterRow:
    """One attack on one split; left: zero-shot clean and robust, tuned clean and robust, or NaN."""

    split: str
    attack: str
    epsilon: str
    round: int
    images: int
    left: tuple[float, ...]
    worst: bool


def later_attacks(folder: Path) -> list[tuple[str, list[LaterRow]]]:
    """(file name, its rows) of every table of attacks; a file of another kind is passed over."""
    found = []
    for path in sorted((folder / ATTACKS).glob("*.csv")):
        try:
            if rows := read_attacks(path):
                found.append((path.name, rows))
        except (OSError, ValueError, OverflowError) as error:
            logger.warning("'%s' is left out of the report: %s", path, error)
    return found


def read_attacks(path: Path) -> list[LaterRow]:
    """The rows of a table of attacks; none of a file of another kind.

    Raises:
        OSError, ValueError, OverflowError: it cannot be read.
    """
    table = pd.read_csv(path, dtype={"epsilon": str, "split": str, "defence": str})
    if "defence" not in table and len(table.columns) > 4:  # an earlier version had none
        table.insert(_COLUMNS.index("defence"), "defence", "")
    if list(table.columns) != _COLUMNS + _LEFT:
        return []
    table["defence"] = table["defence"].fillna("")
    return [_row(row) for row in table.to_dict("records")]


def _row(fields: Mapping[Hashable, Any]) -> LaterRow:
    steps = 0 if pd.isna(fields["steps"]) else int(fields["steps"])
    name = AttackName(str(fields["attack"]), steps, str(fields["epsilon"]), str(fields["defence"]))
    return LaterRow(
        split=str(fields["split"]),
        attack=name.short,
        epsilon=name.epsilon,
        round=int(fields["round"]),
        images=int(fields["images"]),
        left=tuple(float(fields[column]) for column in _LEFT),
        worst=name.attack == WORST_CASE,
    )


def alarm_sentence(folder: Path) -> str:
    """What the last `fedmvp alarm` found, or "" if there was none."""
    path = folder / ATTACKS / ALARM
    if not path.is_file():
        return ""
    try:
        content = read_object(path)
        made = [f for f in content["findings"] if f["passed"] is not None]
        rang = [f"{f['check']} ({f['split']}, {f['model']})" for f in made if not f["passed"]]
        asked = f"ε = {content['budget']['epsilon']}, round {content['round']}"
    except (KeyError, TypeError) as error:
        logger.warning("'%s' is left out of the report: %r", path, error)
        return ""
    if not rang:
        return f"No sign of gradient masking in {len(made)} checks ({asked})."
    return (
        f"Gradient masking: {len(rang)} of {len(made)} checks rang ({asked}): {', '.join(rang)}. "
        "Accuracies under gradient attacks are too high to be believed there."
    )
