"""Step 1: whether every data set of a suite is there, whole, and the published one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import DataSection, RunConfig, dataset_names
from fedmvp_core.config.options import option_words
from fedmvp_core.data.catalogue import needs_folder
from fedmvp_core.data.listed import PICTURES
from fedmvp_core.data.pixels.check import known_unreadable
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.disk import cache_directory
from fedmvp_core.errors import DataError
from simulations.datasets.check import ExaminedCopy, examine, expected_layout, unlike

SHOWN = 10  # faults of one data set
SETS_COLUMNS = ("data set", "folder", "classes", "pictures", "class order", "state")


@dataclass(frozen=True)
class CheckedSet:
    """A data set that runs name: where it is looked for, and what was found.

    root: the run's data-dir. expected: the folder in it. copy: None where that cannot be read.
    faults: what it cannot be used with. other_counts: where it has other numbers than the published
    one.
    """

    name: str
    root: Path
    expected: Path
    copy: ExaminedCopy | None
    faults: tuple[str, ...] = ()
    other_counts: tuple[str, ...] = ()


def check_data(
    console: Console, configs: Sequence[RunConfig], other_counts: bool
) -> list[CheckedSet]:
    """Look at every data set, say what was found of all, and stop if one cannot be used.

    other_counts: whether other numbers than the published ones are let pass.

    Raises:
        DataError: one or several are missing or broken; all of them were printed.
    """
    found = []
    for (name, _), config in named_sets(configs).items():
        with console.status(f"reading {name}"):
            found.append(_checked(name, config))
    if not found:
        console.print("no data set of this suite is read from a folder")
        return []
    console.print(sets_table(found))
    bad = [one for one in found if one.faults or (one.other_counts and not other_counts)]
    for one in found:
        _show_faults(console, one)
    _show_layouts(console, found)
    if bad:
        hint = ""
        if not any(one.faults for one in bad):
            hint = "; go on with such copies by --other-counts, and the page says so"
        raise DataError(
            f"{len(bad)} of {len(found)} data sets are missing or not as published: "
            f"{', '.join(one.name for one in bad)}{hint}"
        )
    return found


def named_sets(configs: Sequence[RunConfig]) -> dict[tuple[str, str], RunConfig]:
    """(data set, data-dir) of all that are read from a folder -> the first run that names it."""
    named: dict[tuple[str, str], RunConfig] = {}
    for config in configs:
        for name in (*dataset_names(config.data), *_targets(config.data)):
            if needs_folder(name):
                named.setdefault((name, config.data.data_dir), config)
    return named


def _targets(data: DataSection) -> list[str]:
    """The data sets that a run is tested on beside its own."""
    words = option_words("the setting", data.setting_options).get("target-datasets", "")
    return [name.strip() for name in words.split(",") if name.strip()]


def _checked(name: str, config: RunConfig) -> CheckedSet:
    data = config.data
    root = Path(data.data_dir)
    expected = root / READERS[name].folder if name in READERS else root
    try:
        copy = examine(name, root, False, data.merge_spellings, data.allow_leaks)
        damaged = _damaged(copy, config) if data.on_bad_image == "error" else []
    except DataError as error:
        return CheckedSet(name, root, expected, None, (str(error),))
    counts = unlike(copy.listing, copy.expected) if copy.expected else []
    faults = [fault for fault in copy.faults if fault not in counts]
    return CheckedSet(name, root, expected, copy, (*faults, *damaged), tuple(counts))


def _damaged(copy: ExaminedCopy, config: RunConfig) -> list[str]:
    """Pictures that cannot be read; what was found is kept in the cache until a file changes."""
    pictures = (p.path for split in copy.listing.splits.values() for p in split)
    folder = cache_directory(config.run.cache_dir) / PICTURES
    return [*known_unreadable(sorted({*pictures}), folder).values()]


def sets_table(found: Sequence[CheckedSet]) -> Table:
    """One row a data set."""
    table = Table()
    for column in SETS_COLUMNS:
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*set_row(one))
    return table


def set_row(one: CheckedSet) -> tuple[str, ...]:
    """Name, folder below the root, classes, pictures by split, hash of their order, and state."""
    if one.copy is None:
        state = "unreadable" if one.expected.is_dir() else "missing"
        return (one.name, _below(one.root, one.expected), "-", "-", "-", state)
    counts = {split: len(pictures) for split, pictures in one.copy.listing.splits.items()}
    return (
        one.name,
        _below(one.root, one.copy.folder),
        str(len(one.copy.listing.class_names)),
        ", ".join(f"{split} {count:,}" for split, count in counts.items()),
        one.copy.order,
        _state(one, one.copy),
    )


def _state(one: CheckedSet, copy: ExaminedCopy) -> str:
    if one.faults or one.other_counts:
        return "broken" if one.faults else "other counts"
    if copy.expected is None:
        return "readable"
    # Of some data sets no numbers of pictures are published.
    return "as published" if copy.expected.expected_counts else "classes as published"


def _below(root: Path, folder: Path) -> str:
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else str(folder)


def _show_faults(console: Console, one: CheckedSet) -> None:
    faults = (*one.faults, *one.other_counts)
    for fault in faults[:SHOWN]:
        console.print(
            f"{one.name}: {fault}", style="red" if one.faults else "yellow", soft_wrap=True
        )
    if len(faults) > SHOWN:
        command = f"fedmvp datasets check {one.name} --root {one.root}"
        console.print(f"{one.name}: and {len(faults) - SHOWN} more: {command}", soft_wrap=True)


def _show_layouts(console: Console, found: Sequence[CheckedSet]) -> None:
    """Where the missing ones were expected, and each layout once."""
    missing = [one for one in found if one.copy is None]
    for one in missing:
        console.print(f"{one.name} was expected in '{one.expected}'", soft_wrap=True)
    for layout in dict.fromkeys(expected_layout(one.name) for one in missing):
        console.print(f"expected:\n{layout}", soft_wrap=True)
