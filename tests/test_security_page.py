"""docs/security.md promises only what a test shows."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def test_tests_are_named() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((PROJECT / "tests" / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_key_of_privacy_is_explained() -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    section = re.split(r"\n(?=# ---|\n\[)", text.partition("# --- privacy")[2])[0]
    keys = re.findall(r"^([a-z-]+) = ", section, re.MULTILINE)
    assert "noise-multiplier" in keys
    assert all(f"`{key}" in PAGE or f"`{key}=" in PAGE for key in keys)


def test_the_epsilons_of_the_table() -> None:
    from fedmvp_core.privacy import epsilon_spent

    rows = re.findall(r"^\| ([\d.]+) \|((?: [\d.]+ \|){4})$", PAGE, re.MULTILINE)
    assert len(rows) >= 4
    for multiplier, cells in rows:
        shown = [float(cell) for cell in cells.split("|")[:-1]]
        spent = [epsilon_spent(float(multiplier), rounds, 1e-5) for rounds in (1, 5, 10, 20)]
        assert shown == [round(value, 2) for value in spent]
