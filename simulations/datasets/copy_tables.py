"""What was found in a copy of a data set, as tables for a terminal."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from simulations.console import one_line, shown
from simulations.datasets.check import ExaminedCopy, halves
from simulations.datasets.zero_shot import measure_zero_shot

MOST_ROWS = 60  # classes that are listed one by one unless all are asked for


def show_copy(console: Console, copy: ExaminedCopy, every_class: bool) -> None:
    """Splits, classes, their order, notes and faults."""
    listing = copy.listing
    console.print(shown(f"{copy.name} in {copy.folder}"))
    if listing.class_names:
        _show_classes(console, copy, every_class)
    for note in listing.notes:
        console.print(shown(f"note: {note}"))
    for warning in listing.warnings:
        if warning not in listing.notes:
            console.print(shown(f"mind: {warning}"), style="yellow")
    for fault in copy.faults:
        console.print(shown(f"wrong: {fault}"), style="red")


def _show_classes(console: Console, copy: ExaminedCopy, every_class: bool) -> None:
    names = copy.listing.class_names
    console.print(splits_table(copy))
    if every_class or len(names) <= MOST_ROWS:
        console.print(classes_table(copy))
    kind = "alphabetical" if list(names) == sorted(names) else "the data set's own"
    console.print(f"class order: {kind}, {copy.order}")
    for half, of_half in halves(names).items():
        if of_half:
            ends = shown(f"'{of_half[0]}' to '{of_half[-1]}'")
            console.print(f"  {half}: {len(of_half)} classes, {ends}")


def zero_shot_table(
    name: str, root: Path, backbone: str, pretrained: str, merge_spellings: bool = False
) -> Table:
    """A row for each split: what the frozen backbone reaches, and what is published for it."""
    table = Table("split", "images", "zero-shot", "published", "difference")
    for row in measure_zero_shot(name, root, backbone, pretrained, merge_spellings):
        published = ("-", "-")
        if row.published is not None:
            published = f"{row.published:.1f} %", f"{row.measured - row.published:+.1f}"
        table.add_row(row.split, str(row.images), f"{row.measured:.1f} %", *published)
    return table


def splits_table(copy: ExaminedCopy) -> Table:
    """A row for each split: pictures found and expected, and how many a class has."""
    table = Table("split", "pictures", "expected", "classes", "of a class", "of a domain")
    expected = copy.expected.expected_counts if copy.expected else {}
    for split in dict.fromkeys([*copy.listing.splits, *expected]):
        counts = [count for count in copy.class_counts(split) if count]
        domains = copy.domain_counts(split)
        table.add_row(
            split,
            str(len(copy.listing.splits.get(split, ()))),
            str(expected.get(split, "-")),
            str(len(counts)),
            f"{min(counts)} to {max(counts)}" if counts else "-",
            ", ".join(f"{one_line(name)} {count}" for name, count in domains.items()),
        )
    return table


def classes_table(copy: ExaminedCopy) -> Table:
    """A row for each class in class order, a column for each split."""
    splits = list(copy.listing.splits)
    table = Table("label", "class", *splits)
    columns = [copy.class_counts(split) for split in splits]
    for label, name in enumerate(copy.listing.class_names):
        table.add_row(str(label), one_line(name), *(str(column[label]) for column in columns))
    return table
