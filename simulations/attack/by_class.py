"""What an attack leaves of each class: beside the table of `fedmvp attack`, a row a class."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fedmvp_core.disk import replace_text
from simulations.attack.names import AttackName
from simulations.attack.run import TUNED, ZERO_SHOT, Attacked, Target

COLUMNS = (
    *("split", "attack", "steps", "epsilon", "defence", "class", "images"),
    *("zero_shot_clean", "zero_shot_robust", "tuned_clean", "tuned_robust"),
)


@dataclass(frozen=True)
class ClassRow:
    """Of the images of one class: shares that are right, by "zero-shot" and "tuned"."""

    split: str
    attack: AttackName
    class_name: str
    images: int
    clean: Mapping[str, float]
    robust: Mapping[str, float]


def class_rows(
    target: Target, name: AttackName, attacked: Mapping[str, Attacked]
) -> list[ClassRow]:
    """A row for each class that the attacked images are of; none if they have several labels."""
    if target.images.multi_label:
        return []
    labels = target.images.labels
    names = target.task.task.class_names
    clean = {model: _right(target.probabilities[model], labels) for model in attacked}
    robust = {model: _right(left.probabilities, labels) for model, left in attacked.items()}
    rows = []
    for position in labels.unique().tolist():
        own = labels == position
        rows.append(
            ClassRow(
                split=target.split,
                attack=name,
                class_name=names[position],
                images=int(own.sum()),
                clean={model: _share(right[own]) for model, right in clean.items()},
                robust={model: _share(right[own]) for model, right in robust.items()},
            )
        )
    return rows


def write_class_rows(path: Path, rows: Sequence[ClassRow]) -> Path:
    """Write them as CSV, fractions; what was not attacked is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        how = (row.attack.attack, row.attack.counted_steps, row.attack.epsilon, row.attack.defence)
        shares = [
            kind.get(model, "") for model in (ZERO_SHOT, TUNED) for kind in (row.clean, row.robust)
        ]
        writer.writerow((row.split, *how, row.class_name, row.images, *shares))
    replace_text(path, stream.getvalue())
    return path


def _right(probabilities: Tensor, labels: Tensor) -> Tensor:
    return probabilities.argmax(dim=1) == labels


def _share(right: Tensor) -> float:
    return torch.mean(right.double()).item()
