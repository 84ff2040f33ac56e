"""`fedmvp attributes`: the shipped phrases, a check of a file, and a language model's phrases."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fedmvp_core.errors import ConfigError, DataError
from simulations.commands.typed import Commands
from simulations.console import Console

app = Commands(help="Attribute phrases of classes.", no_args_is_help=True)

Classes = Annotated[
    Path | None,
    typer.Option("--classes", help="Class names: one a line, or a JSON array or object."),
]
DatasetName = Annotated[
    str, typer.Option("--dataset", help="Instead of --classes: a shipped set or a data set.")
]
DataDir = Annotated[
    str, typer.Option("--data-dir", help="Its pictures, to take the names from these.")
]


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="Print this set as JSON instead.")] = "",
) -> None:
    """List the shipped sets, or print one of them.

    Example: fedmvp attributes list eurosat
    """
    from rich.table import Table

    from fedmvp_core.attributes.files import shipped_attributes
    from fedmvp_core.attributes.shipped import find_shipped, shipped_names, shipped_text

    if name:
        print(shipped_text(find_shipped(name) or name), end="")
        return
    table = Table("data set", "classes", "phrases", title="shipped attributes")
    for shipped in shipped_names():
        phrases = shipped_attributes(shipped).values()
        table.add_row(shipped, str(len(phrases)), str(sum(map(len, phrases))))
    Console().print(table)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A JSON file {class: [phrases]}.")],
    classes: Classes = None,
    dataset: DatasetName = "",
    data_dir: DataDir = "",
    backbone: Annotated[
        str, typer.Option("--backbone", help="Also whether its text encoder reads all of it.")
    ] = "",
    template: Annotated[
        str, typer.Option("--template", help="For --backbone; as the run-config key.")
    ] = "auto",
    attribute_template: Annotated[
        str, typer.Option("--attribute-template", help="For --backbone; as the run-config key.")
    ] = "auto",
) -> None:
    """Check a file's form, and that it describes every class named.

    Example: fedmvp attributes check phrases.json --dataset eurosat
    """
    from fedmvp_core.attributes.files import missing_classes, read_attributes
    from simulations.attributes.classes import chosen_classes

    attributes = read_attributes(file)
    asked = classes is not None or bool(dataset)
    names = chosen_classes(classes, dataset, data_dir) if asked else tuple(attributes)
    missing = missing_classes(attributes, names)
    if missing:
        raise DataError(f"'{file}' has no attributes for the classes: {', '.join(missing)}")
    counts = sorted({len(phrases) for phrases in attributes.values()})
    each = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    console = Console(soft_wrap=True, highlight=False, markup=False)
    said = f"all {len(names)} classes are described" if asked else "the form is right"
    counted = "" if asked else f"; classes: {len(names)}"
    console.print(f"{file}: {said}{counted}, {each} phrases each")
    extra = missing_classes(dict.fromkeys(names, ()), attributes)
    if extra:
        console.print(f"not asked for, and so not used: {', '.join(extra)}")
    if backbone:
        from simulations.attributes.sentences import unread  # with torch

        warnings = unread(attributes, names, backbone, dataset, template, attribute_template)
        for warning in warnings:
            console.print(f"warning: {warning}")
        if not warnings:
            console.print(f"the text encoder of '{backbone}' reads every sentence wholly")


@app.command()
def generate(
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Of the API, such as http://localhost:8000/v1.")
    ],
    model: Annotated[str, typer.Option("--model", help="As the server calls it.")],
    out: Annotated[Path, typer.Option("--out", help="The JSON file to write.")],
    classes: Classes = None,
    dataset: DatasetName = "",
    data_dir: DataDir = "",
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="Phrases a class.")] = 10,
    api_key_env: Annotated[
        str, typer.Option("--api-key-env", help="Environment variable that holds the key.")
    ] = "",
    prompt: Annotated[
        str, typer.Option("--prompt", help="With {class} and {count}; the form is added.")
    ] = "",
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, max=2, help="Of the answers.")
    ] = 0.7,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Sent along.")] = 1,
    server_defaults: Annotated[
        bool, typer.Option("--server-defaults", help="Send neither temperature nor seed.")
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds.")] = 120.0,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="For one class.")] = 6,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file of --out.")] = False,
    cache_dir: Annotated[str, typer.Option("--cache-dir", help="Keeps answers.")] = "",
) -> None:
    """Ask an OpenAI-compatible server for phrases, one question a class.

    Example: fedmvp attributes generate --endpoint http://localhost:8000/v1 --model NAME
    --dataset eurosat --out phrases.json
    """
    from fedmvp_core.disk import cache_directory
    from simulations.attributes import generate as generating
    from simulations.attributes.answer import DEFAULT_PROMPT
    from simulations.attributes.chat import Endpoint
    from simulations.attributes.classes import chosen_classes

    names = chosen_classes(classes, dataset, data_dir)
    heat = None if server_defaults else temperature
    server = Endpoint(endpoint, model, _key(api_key_env), heat, timeout)
    request = generating.Request(count, prompt or DEFAULT_PROMPT, None if server_defaults else seed)
    patience = generating.Patience(attempts)
    console, cache = Console(stderr=True), cache_directory(cache_dir)
    with _shown(console, names) as report:
        failures = generating.generate(server, request, names, out, resume, cache, patience, report)
    if failures:
        raise DataError(
            f"no usable answer for {len(failures)} of {len(names)} classes: "
            f"{', '.join(failures)}; the others are in '{out}', ask again with --resume"
        )
    console.print(f"{len(names)} classes in {out}", soft_wrap=True, markup=False, highlight=False)


def _key(variable: str) -> str:
    """The API key, or "" when no variable is named."""
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise ConfigError(f"api-key-env is '{variable}'; there is no such environment variable")
    return key


@contextmanager
def _shown(console: Console, names: Sequence[str]) -> Iterator[Callable[[str, str], None]]:
    """A function that reports a class: it prints a line, and moves a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(names))

        def report(class_name: str, what: str) -> None:
            console.print(f"{class_name}: {what}", soft_wrap=True, markup=False, highlight=False)
            progress.advance(bar)

        yield report
