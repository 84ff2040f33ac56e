"""`fedmvp datasets`: which data sets there are, whether a copy of one is whole, and downloads."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fedmvp_core.errors import DataError
from simulations.commands import completing
from simulations.commands.typed import Commands
from simulations.console import Console

app = Commands(help="Data sets: names, checks, downloads.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        help="A data set, see `fedmvp datasets list`.", autocompletion=completing.datasets
    ),
]
NameOrFolder = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER",
        help="A data set, see `fedmvp datasets list`, or a folder of your own pictures.",
        autocompletion=completing.datasets,
    ),
]
Root = Annotated[
    Path,
    typer.Option("--root", help="What `data-dir` will be: the folder of the data set's folder."),
]


@app.command("list")
def list_() -> None:
    """List the data sets: labels, classes, the folder below data-dir, shipped attributes.

    Example: fedmvp datasets list
    """
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
    name: NameOrFolder,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="What `data-dir` will be; not with a folder of your own."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Open no picture.")] = False,
    classes: Annotated[
        bool, typer.Option("--classes", help="List every class, however many.")
    ] = False,
    merge_spellings: Annotated[
        bool,
        typer.Option("--merge-spellings", help="Take alike spellings for one class, as the key."),
    ] = False,
    backbone: Annotated[
        str, typer.Option("--backbone", help="Measure zero-shot with it: ViT-B-16, tiny, ...")
    ] = "",
    pretrained: Annotated[
        str, typer.Option("--pretrained", help="Its weights: a tag, a file, embedded.")
    ] = "",
) -> None:
    """Compare a copy of a data set with the published one, and read every picture of it.

    Of a folder of your own pictures: what is read, passed over, counted and refused. With a
    backbone, what it makes of the copy untuned is compared too.

    Example: fedmvp datasets check eurosat --root data --quick
    """
    from fedmvp_core.data.catalogue import needs_folder, without_folder

    if not needs_folder(name) and not Path(name).expanduser().is_dir():
        raise without_folder(name)
    from simulations.datasets.check import examine, expected_layout, named_or_own  # with torch
    from simulations.datasets.copy_tables import show_copy, zero_shot_table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    name, root = named_or_own(name, root)
    try:
        copy = examine(name, root, not quick, merge_spellings)
    except DataError:
        layout = expected_layout(name)
        if layout:
            console.print(f"expected:\n{layout}")
        raise
    show_copy(console, copy, classes)
    if backbone and not copy.listing.faults:
        console.print(zero_shot_table(name, root, backbone, pretrained, merge_spellings))
    if copy.faults:
        raise DataError(f"{name} in '{copy.folder}' has {len(copy.faults)} faults")
    console.print("nothing is wrong" + (" (no picture was opened)" if quick else ""))


@app.command()
def prepare(name: Name, root: Root) -> None:
    """Download a data set, if torchvision can, and put it where its reader looks.

    hf:NAME is one of the Hugging Face hub.

    Example: fedmvp datasets prepare eurosat --root data
    """
    from fedmvp_core.data.catalogue import HUB
    from fedmvp_core.data.readers.download import prepare as download
    from fedmvp_core.data.readers.table import READERS

    if name not in READERS and not name.startswith(HUB):
        raise DataError(f"no data set is called '{name}'; known: {', '.join(READERS)}")
    from fedmvp_core.data.readers import hugging_face  # with torch
    from simulations.datasets.check import examine, expected_layout
    from simulations.datasets.copy_tables import show_copy

    console = Console(highlight=False, markup=False, soft_wrap=True)
    if name in READERS and READERS[name].multi_label:
        console.print(f"expected:\n{expected_layout(name)}")
        folder = root / READERS[name].folder
        raise DataError(f"{name} cannot be downloaded from here; unpack it into '{folder}'")
    fetch = hugging_face.prepare if name.startswith(HUB) else download
    fetch(name, root.expanduser())
    show_copy(console, examine(name, root.expanduser(), decode=False), every_class=False)
