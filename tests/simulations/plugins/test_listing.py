"""`fedmvp list`: kinds, one plugin, and what plain listing costs."""

import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fedmvp_core.registry import GROUPS, names_in
from simulations import cli


def listed(*words: str) -> str:
    result = CliRunner().invoke(cli.app, ["list", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def rows(text: str) -> list[list[str]]:
    """Cells of the tables' rows."""
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_plain_list_imports_no_torch() -> None:
    code = (
        "import sys; from simulations.cli import app\n"
        "try: app(['list'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'ray', 'flwr') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_lists_all_with_source_and_package(group: str) -> None:
    found = rows(listed(group.removeprefix("fedmvp.")))
    assert [row[0] for row in found] == list(names_in(group))
    assert all(source and package == "fedmvp" for _, source, package in found)


def test_a_method_with_its_options_and_sizes() -> None:
    text = listed("methods", "fedmvp")
    assert re.search(r"^objective +fedmvp *$", text, re.MULTILINE)
    assert "FedMVP (ICCV 2025)" in text
    found = {row[0]: row[1:] for row in rows(text)}
    assert found["prompt-length"][:2] == ["4", "1 to 64"]
    assert found["prompt-init"][:2] == ["frozen", "frozen, random"]
    assert found["full"] == ["9,845,760"]
    assert found["lora"] == ["36,864"]


@pytest.mark.parametrize(
    ("method", "size"),
    [
        ("apt", "8,192"),
        ("avp", "73,680"),
        ("hep", "0"),
        ("paft", "5,120 with 10 classes"),
    ],
)
def test_sizes_of_methods(method: str, size: str) -> None:
    assert ["full", size] in rows(listed("methods", method))


@pytest.mark.parametrize("method", names_in("fedmvp.methods"))
def test_every_method_has_a_size(method: str) -> None:
    assert "unknown" not in listed("methods", method)


def test_options_of_other_kinds() -> None:
    assert ["beta-1", "0.9", "0 to 1", "decay of the mean gradient"] in rows(
        listed("aggregations", "fedadam")
    )
    assert rows(listed("settings", "msst"))[0][:2] == ["target-domain", "sketch"]
    assert rows(listed("partitions", "iid")) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["metods"], "kind is 'metods'; did you mean methods"),
        (["methods", "fedmvq"], "method is 'fedmvq'; installed: adv-maple, apt"),
    ],
)
def test_what_is_not_there(words: list[str], sentence: str) -> None:
    result = CliRunner().invoke(cli.app, ["list", *words])
    assert result.exit_code == 2
    assert sentence in result.output
