"""`fedmvp datasets`: which data sets there are, whether a copy of one is whole, and downloads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fedmvp_core.errors import DataError

if TYPE_CHECKING:
    from simulations.datasets.check import Findings

app = typer.Typer(help="Data sets: names, checks, downloads.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set, see `fedmvp datasets list`.")]
Root = Annotated[
    Path,
    typer.Option("--root", help="What `data-dir` will be: the folder of the data set's folder."),
]
MOST_ROWS = 60  # classes that are listed one by one without --classes


@app.command("list")
def list_() -> None:
    """List the data sets: labels, classes, the folder below data-dir, and shipped attributes."""
    from fedmvp_core.attributes.shipped import find_shipped
    from fedmvp_core.data.catalogue import HUB, needs_folder
    from fedmvp_core.data.readers.table import READERS
    from fedmvp_core.registry import DATASETS, names_in

    table = Table()
    for column in ("name", "labels", "classes", "folder", "domains", "attributes"):
        table.add_column(column, overflow="fold")  # a name that is cut short names nothing
    for name in names_in(DATASETS):
        entry = READERS.get(name)
        if entry is None:
            several = name in ("csv-folder", "emojiscenes")
            labels = "several" if several else "one"
            own = ("data-dir itself", "yours") if needs_folder(name) else ("none", "its own")
            if name == HUB:
                name, own = f"{HUB}NAME", ("as `prepare` leaves it", "yours")
            table.add_row(name, labels, "-", own[0], "", own[1])
            continue
        labels = "several" if entry.multi_label else "one"
        shipped = "shipped" if find_shipped(name) else ""
        domains = str(len(entry.domains) or "")
        table.add_row(
            name, labels, str(entry.expected_classes), f"{entry.folder}/", domains, shipped
        )
    Console().print(table)


@app.command()
def check(
    name: Name,
    root: Root,
    quick: Annotated[bool, typer.Option("--quick", help="Open no picture.")] = False,
    classes: Annotated[
        bool, typer.Option("--classes", help=f"List every class, if there are over {MOST_ROWS}.")
    ] = False,
    backbone: Annotated[
        str, typer.Option("--backbone", help="Measure zero-shot with it: ViT-B-16, tiny, ...")
    ] = "",
    pretrained: Annotated[
        str, typer.Option("--pretrained", help="Its weights: a tag, a file, embedded.")
    ] = "",
) -> None:
    """Compare a copy of a data set with the published one, and read every picture of it.

    With a backbone, what it makes of the copy untuned is compared too.
    """
    from simulations.datasets.check import examine, expected_layout

    console = Console(highlight=False, markup=False, soft_wrap=True)
    try:
        findings = examine(name, root.expanduser(), decode=not quick)
    except DataError:
        layout = expected_layout(name)
        if layout:
            console.print(f"expected:\n{layout}")
        raise
    show(console, findings, classes)
    if backbone:
        console.print(zero_shot_table(name, root.expanduser(), backbone, pretrained))
    if findings.faults:
        raise DataError(f"{name} in '{findings.folder}' has {len(findings.faults)} faults")
    console.print("nothing is wrong" + (" (no picture was opened)" if quick else ""))


@app.command()
def prepare(name: Name, root: Root) -> None:
    """Download a data set, if torchvision can, and put it where its reader looks.

    hf:NAME is one of the Hugging Face hub.
    """
    from fedmvp_core.data.catalogue import HUB
    from fedmvp_core.data.readers import hugging_face
    from fedmvp_core.data.readers.download import prepare as download
    from fedmvp_core.data.readers.table import READERS
    from simulations.datasets.check import examine, expected_layout

    console = Console(highlight=False, markup=False, soft_wrap=True)
    if name in READERS and READERS[name].multi_label:
        console.print(f"expected:\n{expected_layout(name)}")
        folder = root / READERS[name].folder
        raise DataError(f"{name} cannot be downloaded from here; unpack it into '{folder}'")
    fetch = hugging_face.prepare if name.startswith(HUB) else download
    fetch(name, root.expanduser())
    show(console, examine(name, root.expanduser(), decode=False), every_class=False)


def show(console: Console, findings: "Findings", every_class: bool) -> None:
    """Splits, classes, their order, notes and faults."""
    from simulations.datasets.check import halves

    listing = findings.listing
    console.print(f"{findings.name} in {findings.folder}")
    console.print(splits_table(findings))
    if every_class or len(listing.class_names) <= MOST_ROWS:
        console.print(classes_table(findings))
    alphabetical = list(listing.class_names) == sorted(listing.class_names)
    kind = "alphabetical" if alphabetical else "the data set's own"
    console.print(f"class order: {kind}, {findings.order}")
    for half, names in halves(listing.class_names).items():
        if names:
            console.print(f"  {half}: {len(names)} classes, '{names[0]}' to '{names[-1]}'")
    for note in listing.notes:
        console.print(f"note: {note}")
    for fault in findings.faults:
        console.print(f"wrong: {fault}", style="red")


def zero_shot_table(name: str, root: Path, backbone: str, pretrained: str) -> Table:
    """A row for each split: what the frozen backbone reaches, and what is published for it."""
    from simulations.datasets.zero_shot import measure_zero_shot

    table = Table("split", "images", "zero-shot", "published", "difference")
    for row in measure_zero_shot(name, root, backbone, pretrained):
        published = ("-", "-")
        if row.published is not None:
            published = f"{row.published:.1f} %", f"{row.measured - row.published:+.1f}"
        table.add_row(row.split, str(row.images), f"{row.measured:.1f} %", *published)
    return table


def splits_table(findings: "Findings") -> Table:
    """A row for each split: pictures found and expected, and how many a class has."""
    table = Table("split", "pictures", "expected", "classes", "of a class", "of a domain")
    expected = findings.expected.expected_counts if findings.expected else {}
    for split in dict.fromkeys([*findings.listing.splits, *expected]):
        counts = [count for count in findings.class_counts(split) if count]
        domains = findings.domain_counts(split)
        table.add_row(
            split,
            str(len(findings.listing.splits.get(split, ()))),
            str(expected.get(split, "-")),
            str(len(counts)),
            f"{min(counts)} to {max(counts)}" if counts else "-",
            ", ".join(f"{name} {count}" for name, count in domains.items()),
        )
    return table


def classes_table(findings: "Findings") -> Table:
    """A row for each class in class order, a column for each split."""
    splits = list(findings.listing.splits)
    table = Table("label", "class", *splits)
    columns = [findings.class_counts(split) for split in splits]
    for label, name in enumerate(findings.listing.class_names):
        table.add_row(str(label), name, *(str(column[label]) for column in columns))
    return table
