"""The `fedmvp` command line.

Only what parses words is imported here; each command imports what it needs, so that `--help`
answers at once.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from typer.core import TyperGroup

from fedmvp_core.errors import ConfigError, FedMVPError
from simulations.commands.attributes import app as attributes_app
from simulations.commands.datasets import app as datasets_app
from simulations.commands.shards import shards

OUTPUT_DIR = Path("runs")
OURS = ("simulations", "fedmvp_core", "server_app")
BAD_USAGE, FAILED, INTERRUPTED = 2, 1, 130


class _Errors(TyperGroup):
    """Shows a FedMVPError as one line; `--debug` lets the traceback through."""

    def invoke(self, ctx: Any) -> Any:
        with _shown_errors(ctx):
            return super().invoke(ctx)


@contextmanager
def _shown_errors(ctx: Any) -> Iterator[None]:
    try:
        yield
    except FedMVPError as error:
        if ctx.obj is not None and ctx.obj.get("debug"):
            raise
        Console(stderr=True).print(
            f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        raise typer.Exit(BAD_USAGE if isinstance(error, ConfigError) else FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Errors,
    help="Federated prompt tuning of frozen CLIP, on Flower and Ray.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(attributes_app, name="attributes")
app.command()(shards)
app.add_typer(datasets_app, name="datasets")


def _set_debug(ctx: typer.Context, wanted: bool) -> None:
    root = ctx.find_root()
    root.obj = root.obj or {}
    if wanted:
        root.obj["debug"] = True
        for name in OURS:  # not the root: other libraries would drown ours
            logging.getLogger(name).setLevel(logging.DEBUG)


Debug = Annotated[
    bool, typer.Option("--debug", callback=_set_debug, help="Log more; show tracebacks of errors.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or its name below runs/.")]
ClientsAtOnce = Annotated[
    int | None, typer.Option("--clients-at-once", help="Clients that train side by side.")
]
ClientsPerGpu = Annotated[
    int | None, typer.Option("--clients-per-gpu", help="Clients that share one GPU.")
]


@app.callback()
def _root(debug: Debug = False) -> None:
    logging.basicConfig(
        level=logging.WARNING,
        format="%(name)s: %(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False)],
    )


@app.command()
def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [KEY=VALUE]...",
            help="A named run (fedmvp list) or a .toml file, then run-config keys. Default: demo.",
        ),
    ] = None,
    supernodes: Annotated[
        int | None, typer.Option("--supernodes", help="How many clients to simulate.")
    ] = None,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    debug: Debug = False,
) -> None:
    """Run one federation in simulation, for example: fedmvp run demo rounds=5 seed=2"""
    from simulations.commands.run import plan_run, run_command, split_words
    from simulations.runner.named_runs import load_named_run

    name, overrides = split_words(words or [])
    plan = plan_run(load_named_run(name), overrides, supernodes, clients_at_once, clients_per_gpu)
    raise typer.Exit(run_command(plan, Console(), report, show))


@app.command()
def report(
    run: Run,
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Write the report of a run again."""
    from simulations.commands.folders import find_run
    from simulations.commands.run import open_page, write_page

    page = write_page(find_run(run, OUTPUT_DIR))
    Console().print(f"report: {page}", soft_wrap=True)
    if show:
        open_page(page)


@app.command()
def predict(
    run: Run,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Classes to show.")] = 5,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot", help="Ask the frozen model, without the prompts.")
    ] = False,
    classes: Annotated[
        str, typer.Option("--classes", help="base, new, all, or any names with commas.")
    ] = "all",
) -> None:
    """Classify pictures of your own with a run's model."""
    from simulations.commands.folders import find_run
    from simulations.commands.predict import predict_command

    folder = find_run(run, OUTPUT_DIR)
    predict_command(Console(), folder, images, top, zero_shot, classes)


@app.command()
def attack(
    run: Run,
    more_epsilons: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    attacks: Annotated[
        list[str] | None,
        typer.Option("--attack", help="An attack (fedmvp list); repeatable. Default: the run's."),
    ] = None,
    epsilons: Annotated[
        list[str] | None,
        typer.Option("--epsilon", help="Radii, such as 1/255 4/255. Default: the run's."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Iterations, queries of square. Default: the run's; square 1000."
        ),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", min=0, help="Images of each split, drawn by seed; 0 = all.")
    ] = 0,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", help="Such as base,new. Default: all of the setting's."),
    ] = None,
    zero_shot: Annotated[
        bool, typer.Option("--zero-shot/--no-zero-shot", help="Attack the frozen model as well.")
    ] = True,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=256, help="Images attacked at once.")
    ] = 256,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    debug: Debug = False,
) -> None:
    """Attack a finished run, for example: fedmvp attack demo --attack ensemble --epsilon 1/255"""
    from simulations.attack_plan import plan_attack
    from simulations.commands.folders import find_run
    from simulations.saved_run import read_config

    # An option takes one word, so of `--epsilon 1/255 4/255` the rest arrives as arguments.
    if more_epsilons and not epsilons:
        raise ConfigError(
            f"'{more_epsilons[0]}' is not understood; write --attack pgd --attack square, or "
            "--epsilon 1/255 4/255"
        )
    radii = [*(epsilons or []), *(more_epsilons or [])]
    folder = find_run(run, OUTPUT_DIR)
    chosen = (attacks or [], radii, steps, images, split or [])
    plan = plan_attack(read_config(folder), *chosen, zero_shot, batch_size, device)
    from simulations.commands.attack import attack_command

    attack_command(Console(), folder, plan)


@app.command("list")
def list_(
    output_dir: Annotated[
        Path, typer.Option("--output-dir", help="The folder that holds runs.")
    ] = OUTPUT_DIR,
) -> None:
    """List the runs of a folder, the plugins installed, the attacks and the named runs."""
    from simulations.commands.listing import list_command

    list_command(Console(), output_dir)


@app.command()
def info() -> None:
    """Show versions, devices, caches and whether the embedded data is intact."""
    from simulations.commands.info import info_command

    info_command(Console())


@app.command()
def suite(
    name: Annotated[str, typer.Argument(help="A shipped suite, or a .toml file.")],
    more_seeds: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    seeds: Annotated[
        list[str] | None, typer.Option("--seeds", help="Seeds, such as 1 2 3, for all its runs.")
    ] = None,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", help="The folder that holds runs.")
    ] = OUTPUT_DIR,
    clients_at_once: ClientsAtOnce = None,
    clients_per_gpu: ClientsPerGpu = None,
    debug: Debug = False,
) -> None:
    """Run each run of a suite with each seed, and tabulate the results."""
    from simulations.suite import run_suite

    # An option takes one word, so of `--seeds 1 2 3` the rest arrives as arguments.
    if more_seeds and not seeds:
        raise ConfigError(f"'{more_seeds[0]}' is not understood; write --seeds 1 2 3")
    words = [*(seeds or []), *(more_seeds or [])]
    code = run_suite(Console(), name, words, output_dir, clients_at_once, clients_per_gpu)
    raise typer.Exit(code)


def main() -> None:
    """The entry point of the `fedmvp` command."""
    app()
