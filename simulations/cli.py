"""The `fedmvp` command line: the list of its commands, and how errors look.

The options of each command stand in `simulations.commands`. A command imports torch, Flower and
what needs them only when it runs, so that `--help` answers at once.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.logging import RichHandler
from typer.core import TyperGroup

from fedmvp_core.errors import ConfigError, FedMVPError
from simulations.commands.alarm import alarm
from simulations.commands.attack import attack
from simulations.commands.attributes import app as attributes_app
from simulations.commands.bench import bench
from simulations.commands.compare import compare
from simulations.commands.corrupt import corrupt
from simulations.commands.datasets import app as datasets_app
from simulations.commands.deploy import app as deploy_app
from simulations.commands.export import export, pull, push
from simulations.commands.info import info
from simulations.commands.listing import list_
from simulations.commands.options import Debug
from simulations.commands.plan import plan
from simulations.commands.plugins import check, new
from simulations.commands.predict import predict
from simulations.commands.reproduce import reproduce
from simulations.commands.run import demo, report, run
from simulations.commands.shards import shards
from simulations.commands.slurm import slurm
from simulations.commands.stress import stress
from simulations.commands.suite import suite
from simulations.commands.typed import Commands
from simulations.commands.watch import watch
from simulations.console import Console, escape_what_streams_lack, one_line
from simulations.exit_codes import BAD_INPUT, FAILED, INTERRUPTED
from simulations.runner.errors import RunFailedError


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
            f"error: {_words(error)}", style="red", highlight=False, soft_wrap=True
        )
        raise typer.Exit(BAD_INPUT if isinstance(error, ConfigError) else FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _words(error: FedMVPError) -> str:
    """One line, unless it is the traceback of a run that failed."""
    return str(error) if isinstance(error, RunFailedError) else one_line(error)


app = Commands(
    cls=_Errors,
    help="Federated prompt tuning of frozen CLIP, on Flower and Ray.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_PLAIN = (
    *(run, demo, watch, plan, report, compare, predict, attack, alarm, corrupt, export, push, pull),
    *(shards, suite, reproduce, stress, bench, slurm, info, new, check),
)
for command in _PLAIN:
    app.command()(command)
app.command("list")(list_)
app.add_typer(attributes_app, name="attributes")
app.add_typer(datasets_app, name="datasets")
app.add_typer(deploy_app, name="deploy")


FIRST_WORDS = """\
fedmvp: federated prompt tuning of frozen CLIP, on Flower and Ray

  fedmvp demo                   a federation on this machine, of embedded pictures; no downloads
  fedmvp watch                  a local page that follows runs while they go
  fedmvp run method=promptfl    a run of your own; fedmvp list shows what can be named
  fedmvp attack demo            what attacks leave of a finished run
  fedmvp datasets list          data sets, and how to get or check a copy
  fedmvp new method mine        a package with a method of yours; fedmvp new app: for flwr run
  fedmvp --install-completion   lets the shell complete these names
  fedmvp --help                 all commands; fedmvp COMMAND --help: one, with an example"""


def _say_version(wanted: bool) -> None:
    if wanted:
        Console().print(f"fedmvp {version('fedmvp')}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    debug: Debug = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and end."
        ),
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        Console().print(FIRST_WORDS, highlight=False, soft_wrap=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(name)s: %(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False)],
    )


def main() -> None:
    """The entry point of the `fedmvp` command."""
    escape_what_streams_lack()
    app()
