"""`fedmvp export`, `push` and `pull`: a run's tuned model as a folder, and on the hub."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from simulations.commands.options import OUTPUT_DIR, DataDir, Run
from simulations.console import Console
from simulations.runner.results import find_run

HubId = Annotated[str, typer.Argument(metavar="HUB_ID", help="ORG/NAME on the Hugging Face hub.")]


def export(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A folder. Default: exports/ and the run's name."),
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="The image encoder as ONNX too (fedmvp[onnx]).")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Write a run's tuned model and its card: what fedmvp.load takes, on any machine.

    Example: fedmvp export demo --output tuned
    """
    folder = find_run(run, OUTPUT_DIR)
    from simulations.export.writing import export_run

    place = export_run(folder, output, onnx, data_dir)
    _say(f"exported: {place}")


def push(
    source: Annotated[
        str, typer.Argument(metavar="RUN_OR_FOLDER", help="A run, or the folder of an export.")
    ],
    hub_id: HubId,
    private: Annotated[bool, typer.Option("--private", help="For a new repository.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Put a tuned model on the Hugging Face hub.

    Example: fedmvp push demo ORG/NAME --private
    """
    from fedmvp_core.tuned import MODEL_FILE, hub

    folder = Path(source).expanduser()
    if (folder / MODEL_FILE).is_file():
        _say(f"pushed: {hub.push(folder, hub_id, private)}")
        return
    run = find_run(source, OUTPUT_DIR)
    from simulations.export.writing import export_run

    with tempfile.TemporaryDirectory() as parent:
        place = export_run(run, Path(parent) / "model", data_dir=data_dir, name=hub_id)
        _say(f"pushed: {hub.push(place, hub_id, private)}")


def pull(
    hub_id: HubId,
    output: Annotated[
        Path | None, typer.Option("--output", help="A folder. Default: exports/ and its name.")
    ] = None,
) -> None:
    """Fetch a tuned model from the Hugging Face hub.

    Example: fedmvp pull ORG/NAME --output tuned
    """
    from fedmvp_core.tuned import hub

    place = output or Path("exports") / hub_id.rpartition("/")[2]
    _say(f"pulled: {hub.pull(hub_id, place.expanduser().absolute())}")


def _say(text: str) -> None:
    Console().print(text, soft_wrap=True, highlight=False)
