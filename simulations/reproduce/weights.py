"""Step 2: what the weights are, and what the frozen backbone makes of the data untuned."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import DataSection, dataset_names
from fedmvp_core.methods import find_method
from fedmvp_core.workspace import open_backbone
from simulations.reproduce.asked import Job, Weights
from simulations.reproduce.surveyed import DataKey, Surveyed, data_key, opened, survey
from simulations.reproduce.zero_shot import (
    TOLERANCE,
    ZeroShotRow,
    measure,
    published_rows,
    reasons,
)
from simulations.runner.backbone_facts import backbone_facts
from simulations.runner.named_runs import pretrained_parts
from simulations.runner.results import shown
from simulations.suite.files import Suite

ZERO_SHOT_COLUMNS = ("data", "split", "zero-shot", "published", "difference", "published in")


@dataclass
class FoundWeights:
    """What step 2 found, which later steps use.

    facts: of each backbone. data: what there is to train and test on, of each cut.
    seconds_per_image: of an evaluation. warnings: of zero-shot that is far from the published.
    """

    facts: dict[Weights, list[tuple[str, str]]] = field(default_factory=dict)
    data: dict[DataKey, Surveyed] = field(default_factory=dict)
    rows: list[ZeroShotRow] = field(default_factory=list)
    seconds_per_image: dict[Weights, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def check_weights(console: Console, suite: Suite, jobs: Sequence[Job]) -> FoundWeights:
    """Load each backbone, say what it is, and measure zero-shot on each set of tested images.

    Raises:
        FedMVPError: weights or data cannot be read.
    """
    found = FoundWeights()
    # Of runs on the same tested images one that trains comes first: clients are cut by its options.
    ordered = sorted(jobs, key=lambda job: not find_method(job.config).trains)
    for weights in dict.fromkeys(job.weights for job in jobs):
        own = [job for job in ordered if job.weights == weights]
        with console.status("loading the weights"):
            backbone = open_backbone(own[0].config.model, precision="fp32")
        found.facts[weights] = _facts(backbone, weights)
        console.print(facts_table(found.facts[weights]))
        _look_at_data(console, suite, found, backbone, own)
    console.print(_table(ZERO_SHOT_COLUMNS, zero_shot_rows(found.rows)))
    if all(row.published is None for row in found.rows):
        console.print("no zero-shot numbers are published for these splits: nothing to compare")
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)
    return found


def _look_at_data(
    console: Console, suite: Suite, found: FoundWeights, backbone: Backbone, jobs: Sequence[Job]
) -> None:
    """Survey each cut of the data once, and measure zero-shot on each set of tested images once."""
    measured: set[DataSection] = set()
    for job in jobs:
        config = job.config
        key, tested = data_key(config, job.clients), _tested(config.data)
        if key in found.data and tested in measured:
            continue
        place = job.entry.place or _words(dataset_names(config.data))
        with console.status(f"testing the frozen backbone on {place}"):
            setting, shards = opened(config, job.clients, backbone)
            found.data.setdefault(key, survey(config, setting, shards))
            if tested in measured:
                continue
            published = published_rows(suite, job.entry.place, config, job.named)
            zero_shot = measure(backbone, config, setting, shards, published, place)
        measured.add(tested)
        found.rows += zero_shot.rows
        found.seconds_per_image.setdefault(job.weights, zero_shot.seconds_per_image)
        far = [row for row in zero_shot.rows if row.is_far]
        if far:
            found.warnings.append(_warning(far, reasons(backbone, config, job.named)))


def _words(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} data sets"


def _tested(data: DataSection) -> DataSection:
    """Without what changes the training images alone."""
    return replace(
        data,
        attributes="",
        attribute_template="",
        attribute_weight=0.0,
        shots=0,
        shot_sampling="",
        mask_rate=0.0,
        partition="",
        partition_options="",
        clients=0,
    )


def _warning(far: Sequence[ZeroShotRow], likely: Sequence[str]) -> str:
    """Which splits are how far off, and why that may be."""
    off = ", ".join(f"{row.split} by {row.points:+.1f}" for row in far)
    numbered = "; ".join(f"({number}) {reason}" for number, reason in enumerate(likely, 1))
    return (
        f"{far[0].place}: zero-shot differs from the published by more than {TOLERANCE:g} point: "
        f"{off}. What is tuned will differ too. Likely reasons: {numbered}"
    )


def zero_shot_rows(rows: Sequence[ZeroShotRow]) -> list[tuple[str, ...]]:
    """The cells of a table."""
    return [
        (
            row.place,
            row.split,
            shown(row.measured),
            shown(row.published),
            "-" if row.points is None else f"{row.points:+.1f}",
            row.source or "-",
        )
        for row in rows
    ]


def _facts(backbone: Backbone, weights: Weights) -> list[tuple[str, str]]:
    parts = [Path(part) for part in pretrained_parts(weights[1])]
    return [
        *backbone_facts(backbone, *weights),
        *((f"SHA-256 of {part.name}", _sha256(part)) for part in parts if part.is_file()),
        ("device", str(backbone.device)),
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def facts_table(facts: Sequence[tuple[str, str]]) -> Table:
    """One fact a row."""
    table = Table("what", "value", show_header=False)
    table.columns[1].overflow = "fold"
    for row in facts:
        table.add_row(*row)
    return table


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
