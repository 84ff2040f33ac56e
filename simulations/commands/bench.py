"""`fedmvp bench`: what a step, an attack, a round and the rest cost, beside plain baselines."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedmvp_core.errors import ConfigError, DataError
from simulations.bench.parts import GPU, chosen_parts
from simulations.bench.sizes import chosen_sizes
from simulations.console import Console

if TYPE_CHECKING:
    from simulations.bench.record import Record


def bench(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]... [KEY=VALUE]...", help="What to measure; keys of a run."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", help="With random weights. Default: tiny.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="fp32 or bf16.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Images a step.")] = None,
    classes: Annotated[int | None, typer.Option("--classes", min=2, help="Of a task.")] = None,
    attack_steps: Annotated[
        int | None, typer.Option("--attack-steps", min=0, help="Of PGD; 0: none.")
    ] = None,
    turns: Annotated[
        int | None, typer.Option("--turns", min=1, help="Paired repeats: A B A B ...")
    ] = None,
    clients: Annotated[
        str | None, typer.Option("--clients", help="Of parts with clients, such as 8,64.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=2, help="Of parts that run.")
    ] = None,
    numbers: Annotated[int | None, typer.Option("--numbers", min=8, help="Of an update.")] = None,
    images: Annotated[int | None, typer.Option("--images", min=1, help="To load.")] = None,
    aggregations: Annotated[
        str | None, typer.Option("--aggregations", help="For memory, such as fedavg,krum.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to try it.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write a JSON.")] = None,
    show: Annotated[Path | None, typer.Option("--show", help="A JSON, as Markdown.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option("--compare", help="OLD.json NEW.json")
    ] = None,
) -> None:
    """Measure parts of the system in paired turns, beside plain baselines.

    Parts: step, attack, evaluation, round, start, memory, wire, loading (all of these if none is
    named); methods, crops, cohort, secure, side-by-side, growth, scale, gpu. KEY=VALUE is of a
    run's configuration.

    Example: fedmvp bench step --quick --out step.json
    """
    parts, keys = chosen_parts(words or [])
    console = Console()
    if GPU in parts:
        device, backbone = device or "cuda", backbone or "ViT-B-16"
    if show is not None or compare is not None:
        _show_records(console, show, compare)
        return
    sizes = chosen_sizes(
        quick,
        backbone=backbone,
        device=device,
        precision=precision,
        batch=batch,
        classes=classes,
        attack_steps=attack_steps,
        turns=turns,
        clients=_numbers(clients),
        rounds=rounds,
        numbers=numbers,
        images=images,
        aggregations=tuple(aggregations.split(",")) if aggregations else None,
    )
    from simulations.runner.overrides import parse_overrides
    from simulations.runner.project import default_config

    overrides = parse_overrides(keys, default_config())
    from simulations.bench.inputs import Inputs, check_device  # with torch
    from simulations.bench.record import write_record
    from simulations.bench.running import run_parts

    check_device(sizes.device)
    record = run_parts(parts, Inputs(sizes, overrides), console)
    if out is not None:
        write_record(out, record)
        console.print(f"written: {out}", soft_wrap=True)
    if GPU in parts and sizes.device == "cuda":
        _write_page(console, record)
    if faults := [part.fault for part in record.parts if part.fault]:
        raise DataError("; ".join(faults))


def _write_page(console: Console, record: "Record") -> None:
    """Into the page of a source tree; of an installed package there is none, so it is printed."""
    from simulations.bench.page import write_between
    from simulations.bench.tables import markdown
    from simulations.runner.project import package_folder

    page = package_folder("simulations").parent / "docs" / "performance.md"
    if page.is_file():
        write_between(page, markdown(record))
        console.print(f"written: {page}", soft_wrap=True)
    else:
        typer.echo(markdown(record))


def _show_records(console: Console, show: Path | None, compare: tuple[Path, Path] | None) -> None:
    from simulations.bench.record import read_record
    from simulations.bench.tables import comparison, markdown

    if show is not None:
        typer.echo(markdown(read_record(show)))
    if compare is not None:
        old, new = (read_record(path) for path in compare)
        for table in comparison(old, new):
            console.print(table)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Of "8,64"."""
    if text is None:
        return None
    words = text.split(",")
    if not all(word.strip().isdigit() and int(word) > 0 for word in words):
        raise ConfigError(f"clients is '{text}'; allowed: whole numbers from 1, such as 8,64")
    return tuple(int(word) for word in words)
