"""The help of every command fits a screen and has an example that is right."""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from made_runs import write_run
from typer.testing import CliRunner

from simulations import cli

WIDTH, HEIGHT = 100, 43
_EXAMPLE = re.compile(r"^Example: (fedmvp .*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)

# Examples that are run, in a folder that holds the runs demo and demo-short, and what is added.
RUN: dict[str, list[str]] = {
    "run": ["--dry-run", "--overwrite"],
    "compare": [],
    "shards": [],
    "info": [],
    "new": [],
    "list": [],
    "attributes list": [],
    "datasets list": [],
    "deploy certificates": [],
    "deploy keys": [],
}
SLOW = ("run", "compare")


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by what is written after `fedmvp`, groups included."""
    waiting: list[tuple[str, click.Command]] = [("", typer.main.get_command(cli.app))]
    while waiting:
        name, command = waiting.pop()
        yield name, command
        for word, inner in getattr(command, "commands", {}).items():
            waiting.append((f"{name} {word}".strip(), inner))


COMMANDS = dict(commands())
LEAVES = sorted(name for name, command in COMMANDS.items() if not hasattr(command, "commands"))


def example(name: str) -> list[str]:
    """The words of a command's example, without `fedmvp`."""
    found = _EXAMPLE.search(inspect.cleandoc(COMMANDS[name].help or ""))
    assert found, f"fedmvp {name} --help has no example"
    return shlex.split(found[1].replace("\n", " "))[1:]


def parsed(words: list[str]) -> str:
    """The name of the command that understands the words; raises click's error if none does."""
    command: click.Command = COMMANDS[""]
    parent: click.Context | None = None
    names: list[str] = []
    while isinstance(command, click.Group):
        parent = command.make_context(command.name or "fedmvp", list(words), parent=parent)
        name, inner, words = command.resolve_command(parent, list(words))
        assert inner is not None
        names.append(str(name))
        command = inner
    command.make_context(command.name, list(words), parent=parent)
    return " ".join(names)


@pytest.mark.parametrize("name", LEAVES)
def test_the_example_is_one_of_the_command(name: str) -> None:
    words = example(name)
    assert parsed(words) == name
    with pytest.raises(click.UsageError):
        parsed([*words, "--no-such-option"])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_fits_a_screen(name: str) -> None:
    runner = CliRunner(env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH)})
    shown = runner.invoke(cli.app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) <= HEIGHT, f"fedmvp {name} --help has {len(lines)} lines"
    command = COMMANDS[name]
    for parameter in command.params:
        said = getattr(parameter, "help", None)
        assert said or getattr(parameter, "hidden", False), f"{name}: {parameter.name} has no help"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in RUN]
)
def test_examples_that_take_little_are_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for run in ("demo", "demo-short"):
        write_run(tmp_path / "runs" / run)
    words = [*example(name), *RUN[name]]
    print(f"ran: fedmvp {shlex.join(words)}")
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output


def test_the_first_words_fit_ten_lines_and_are_commands(tmp_path: Path) -> None:
    said = CliRunner().invoke(cli.app, [])
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= WIDTH
    shown = [re.split(r"\s{2,}|;", line.strip())[0] for line in lines if line.startswith("  ")]
    for words in (shlex.split(line)[1:] for line in shown):
        if words[0].startswith("--"):
            assert words[0] in CliRunner().invoke(cli.app, ["--help"]).output
        else:
            assert parsed(words)


@pytest.mark.parametrize("words", [["rnu"], ["datasets", "chekc"]])
def test_what_is_near_to_a_mistyped_command_is_named_once(words: list[str]) -> None:
    output = CliRunner().invoke(cli.app, words).output
    assert f"No such command '{words[-1]}'" in output
    assert output.count("Did you mean") == 1
