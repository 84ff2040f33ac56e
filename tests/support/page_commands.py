"""Whether a command that a page shows exists: its program, options, keys, names and files."""

import importlib
import importlib.util
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import click
import typer

from fedmvp_core.registry import listed_as, names_in
from simulations.bench.parts import LONGER, USUAL
from simulations.cli import app
from simulations.runner.named_runs import run_names
from simulations.runner.project import default_config
from simulations.suite.files import suite_names

PROJECT = Path(__file__).resolve().parents[2]
KINDS = ("method", "objective", "aggregation", "strategy", "partition", "setting", "dataset")
# Values of these keys that are names of plugins, alone or with commas between them.
NAMING = ("method", "partition", "setting", "dataset")
# Programs of others, about whose words nothing is known here.
FOREIGN = ("cd", "cp", "export", "git", "mkdocs", "mypy", "ruff", "uv")
FOREIGN += ("kubectl", "ray", "sbatch")
_KEY = re.compile(r"([a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)?)=(.*)")
_PLACEHOLDER = re.compile(r"[A-Z_=]+(\.\.\.)?|.*\.\.\.")  # RUN, KEY=VALUE..., ...


def complaints(words: Sequence[str]) -> list[str]:
    """What is wrong with a command; nothing, if it exists.

    words: as `page_reading.words_of` gives them, a program or a script first.
    """
    program = words[0].removeprefix(".venv/bin/")
    if program in FOREIGN:
        return [*_files(words[:-1])]  # the last may be made by the command
    check = _PROGRAMS.get(program)
    if check is None:
        known = program.startswith("docker/")
        return [*_files(words[:1])] if known else [f"unknown program '{program}'"]
    return [*check(words[1:]), *_files(words)]


def known_keys() -> set[str]:
    """Keys of a run's configuration, and those of older versions that options took the place of."""
    keys = set(default_config())
    if importlib.util.find_spec("fedmvp_core.config.folding") is not None:
        keys |= set(importlib.import_module("fedmvp_core.config.folding").MOVED)
    return keys


def key_complaints(words: Sequence[str]) -> Iterator[str]:
    """Words KEY=VALUE whose key, or the plugin that the value names, does not exist."""
    for word in words:
        if not (found := _KEY.fullmatch(word)):
            continue
        key, value = found.groups()
        kind, dot, _ = key.partition(".")
        if dot and kind not in KINDS:
            yield f"'{word}': no kind of plugin is called '{kind}'; known: {', '.join(KINDS)}"
        if not dot and key not in known_keys():
            yield f"'{word}': unknown run-config key '{key}'"
        if key in NAMING and not _PLACEHOLDER.fullmatch(value):
            names = names_in(f"fedmvp.{key}s")
            for name in value.split(","):
                if listed_as(name, names) not in names:
                    yield f"'{word}': no {key} is called '{name}'"


def _fedmvp(words: Sequence[str]) -> Iterator[str]:
    command, rest, path = _subcommand(words)
    if isinstance(command, click.Group):
        if not rest:  # a group of commands, spoken of
            return
        yield f"'{' '.join(['fedmvp', *path, *rest[:1]])}': no such subcommand"
        return
    options = {text for p in command.params for text in (*p.opts, *p.secondary_opts)}
    for word in rest:
        if word.startswith("-") and word.partition("=")[0] not in {*options, "--help", "-h"}:
            yield f"'fedmvp {' '.join(path)}' has no option '{word}'"
    yield from key_complaints(rest)
    yield from _unknown_names(" ".join(path), rest)


def _subcommand(words: Sequence[str]) -> tuple[click.Command, list[str], list[str]]:
    """The command that the first words lead to, the words that are left, and those that led."""
    command: click.Command = typer.main.get_command(app)
    path: list[str] = []
    while isinstance(command, click.Group) and len(path) < len(words):
        following = command.commands.get(words[len(path)])
        if following is None:
            break
        command = following
        path.append(words[len(path)])
    return command, list(words[len(path) :]), path


def _unknown_names(command: str, words: Sequence[str]) -> Iterator[str]:
    """The word after some commands is the name of a run, a suite or a data set, or a path."""
    names = _NAMES.get(command)
    first = _first_positional(command, words)
    if names is None or first is None or "=" in first or _PLACEHOLDER.fullmatch(first):
        return
    if command in ("attack", "report", "predict", "export", "push") and first.startswith("runs/"):
        return  # a folder that the reader's own run has left
    if not first.endswith(".toml") and listed_as(first, known := names()) not in known:
        yield f"'fedmvp {command} {first}': no such name; known: {', '.join(known)}"


def _first_positional(command: str, words: Sequence[str]) -> str | None:
    """The first word that is no option and no value of one."""
    options = {text: p for p in _subcommand(command.split())[0].params for text in p.opts}
    skip = 0  # words that are values of an option
    for word in words:
        if skip:
            skip -= 1
        elif word.startswith("-"):
            option = options.get(word)
            skip = option.nargs if isinstance(option, click.Option) and not option.is_flag else 0
        else:
            return word
    return None


def _python(words: Sequence[str]) -> Iterator[str]:
    if words[:1] != ["-m"] or len(words) < 2:
        return
    name, rest = words[1], words[2:]
    if name == "pytest":
        yield from _pytest(rest)
    elif (spec := _spec(name)) is None:
        yield f"no module is called '{name}'"
    elif name.startswith("simulations."):
        source = Path(str(spec.origin)).read_text(encoding="utf-8")
        for word in rest:
            if word.startswith("--") and f'"{word}"' not in source:
                yield f"'{name}' has no option '{word}'"
        yield from key_complaints(rest)


def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Of the module that runs: of a package its __main__."""
    try:
        found = importlib.util.find_spec(name)
        package = found is not None and found.submodule_search_locations is not None
        return importlib.util.find_spec(f"{name}.__main__") if package else found
    except ModuleNotFoundError:
        return None


def _pytest(words: Sequence[str]) -> Iterator[str]:
    markers = _pyproject()["tool"]["pytest"]["ini_options"]["markers"]
    known = [marker.partition(":")[0] for marker in markers]
    for option, word in pairwise(words):
        if option == "-m" and not set(re.findall(r"\w+", word)) <= {*known, "not", "and", "or"}:
            yield f"pytest -m '{word}': known markers: {', '.join(known)}"


def _pip(words: Sequence[str]) -> Iterator[str]:
    known = _pyproject()["project"]["optional-dependencies"]
    for word in words:
        if found := re.fullmatch(r"(?:\.|fedmvp)\[([\w,-]+)\]", word):
            unknown = [extra for extra in found[1].split(",") if extra not in known]
            yield from (f"'{word}': no extra is called '{extra}'" for extra in unknown)


def _make(words: Sequence[str]) -> Iterator[str]:
    rules = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", rules, re.MULTILINE))
    for word in words:
        if "=" not in word and word not in targets:
            yield f"make has no target '{word}'; known: {', '.join(sorted(targets))}"


def _flwr(words: Sequence[str]) -> Iterator[str]:
    for option, word in pairwise(words):
        if option in ("-c", "--run-config"):
            yield from key_complaints(word.split())


def _files(words: Sequence[str]) -> Iterator[str]:
    """Files of the project that a command names."""
    for word in words:
        path = word.partition("::")[0]
        if re.match(r"(docker|docs|tests)/", path) and not (PROJECT / path).exists():
            yield f"'{path}' does not exist"


def _pyproject() -> Mapping[str, dict[str, dict[str, dict[str, list[str]]]]]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


_PROGRAMS: Mapping[str, Callable[[Sequence[str]], Iterator[str]]] = {
    "fedmvp": _fedmvp,
    "flwr": _flwr,
    "docker": key_complaints,
    "make": _make,
    "pip": _pip,
    "pytest": _pytest,
    "python": _python,
}


def _done_runs() -> Sequence[str]:
    """Runs that a saved run may be of: those that are shipped, and what README calls its own."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    return (*run_names(), *re.findall(r"run-name=([\w-]+)", readme))


_NAMES: Mapping[str, Callable[[], Sequence[str]]] = {
    **dict.fromkeys(("run", "shards"), run_names),
    **dict.fromkeys(("attack", "report", "predict", "export", "push"), _done_runs),
    **dict.fromkeys(("deploy local", "deploy submit"), run_names),
    "suite": suite_names,
    "slurm": lambda: (*suite_names(), *run_names()),
    "bench": lambda: (*USUAL, *LONGER),
    "datasets prepare": lambda: names_in("fedmvp.datasets"),
    # A folder too: the pages call theirs so.
    "datasets check": lambda: (*names_in("fedmvp.datasets"), "pictures"),
}
