"""Who holds what, as a table for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import DataSection
from fedmvp_core.data.settings import Setting
from fedmvp_core.data.shards import Shard
from simulations.console import one_line

NAMED = 6  # classes that a row of the table names


def print_shards(
    console: Console, held: Sequence[Shard], setting: Setting, data: DataSection
) -> None:
    """Print who holds what, how much of the data that is, and what to mind of the data."""
    title = f"{data.dataset}, {data.setting}, {data.partition}"
    console.print(shards_table(held, title))
    console.print(_sentence(held, setting), soft_wrap=True, highlight=False)
    for warning in setting.warnings:
        console.print(f"mind: {warning}", soft_wrap=True, highlight=False, markup=False)


def _sentence(held: Sequence[Shard], setting: Setting) -> str:
    images = sum(len(shard.images) for shard in held)
    classes = {name for shard in held for name in shard.images.present_classes()}
    return (
        f"{len(held)} {'client holds' if len(held) == 1 else 'clients hold'} {images} of "
        f"{len(setting.train)} training images and {len(classes)} of "
        f"{len(setting.train.class_names)} training classes"
    )


def shards_table(held: Sequence[Shard], title: str) -> Table:
    """One row for each client: images, validation images, classes, domains, the main classes."""
    table = Table(title=title, title_justify="left")
    for column in ("client", "images", "validation", "classes"):
        table.add_column(column, justify="right")
    table.add_column("domains", overflow="fold")
    table.add_column("images of a class", overflow="fold")
    for shard in held:
        classes, domains = shard.images.class_counts(), shard.images.domain_counts()
        table.add_row(
            str(shard.partition_id),
            str(len(shard.images)),
            str(len(shard.validation)),
            str(len(classes)),
            _counted(domains) if any(domains) else "-",
            _counted(classes),
        )
    return table


def _counted(counts: dict[str, int]) -> str:
    """The largest counts by name, and how many names there are beside."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{one_line(name) or 'unnamed'} {count}" for name, count in ordered[:NAMED])
    return shown + (f", {len(ordered) - NAMED} more" if len(ordered) > NAMED else "")
