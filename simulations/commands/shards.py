"""`fedmvp shards`: who would hold what, before anything runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.commands.options import RunWords

if TYPE_CHECKING:  # what reads images is imported when it is needed
    from fedmvp_core.data.settings import Setting
    from fedmvp_core.data.shards import Shard

IMAGE_SIZE = 8  # embedded pictures are small, files are not opened: nothing looks at them
NAMED = 6  # classes that a row of the table names


def shards(
    words: RunWords = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients. Default: the run's.")
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="As many clients as FedMVP: about 20 classes each.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw classes by clients: a .svg or .png file.")
    ] = None,
) -> None:
    """Show what each client of a run would hold, for example: fedmvp shards partition=dirichlet"""
    from fedmvp_core.data.settings import load_setting
    from fedmvp_core.data.shards import make_shards, paper_clients
    from simulations.datasets.shard_plot import check_plot, plot_shards
    from simulations.runner.named_runs import load_named_run, resolve_config, resolve_supernodes
    from simulations.runner.planning import split_words

    if plot is not None:
        check_plot(plot)
    if paper and supernodes is not None:
        raise ConfigError(f"--paper and --supernodes {supernodes} both give a number; name one")
    name, overrides = split_words(words or [])
    run = load_named_run(name)
    config = resolve_config(run, overrides)
    clients = 0 if paper else resolve_supernodes(run, overrides, config, supernodes)
    setting = load_setting(config, IMAGE_SIZE)
    clients = clients or paper_clients(setting, config.data)
    held = make_shards(setting, clients, config)
    console = Console()
    print_shards(console, held, setting, config)
    if plot is not None:
        plot_shards(held, setting.train.class_names, plot)
        console.print(f"plot: {plot.absolute()}", soft_wrap=True, highlight=False)


def print_shards(
    console: Console, held: "list[Shard]", setting: "Setting", config: RunConfig
) -> None:
    """Print who holds what, and how much of the data that is."""
    console.print(
        shards_table(held, f"{config.data.dataset}, {config.data.setting}, {config.data.partition}")
    )
    console.print(_sentence(held, setting), soft_wrap=True, highlight=False)


def _sentence(held: "list[Shard]", setting: "Setting") -> str:
    images = sum(len(shard.images) for shard in held)
    classes = {name for shard in held for name in shard.images.present_classes()}
    return (
        f"{len(held)} {'client holds' if len(held) == 1 else 'clients hold'} {images} of "
        f"{len(setting.train)} training images and {len(classes)} of "
        f"{len(setting.train.class_names)} training classes"
    )


def shards_table(held: "list[Shard]", title: str) -> Table:
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
    shown = ", ".join(f"{name or 'unnamed'} {count}" for name, count in ordered[:NAMED])
    return shown + (f", {len(ordered) - NAMED} more" if len(ordered) > NAMED else "")
