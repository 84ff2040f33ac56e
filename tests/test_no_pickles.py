"""Nothing that the project reads can run code: pickles are read as weights only, or not at all."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("fedmvp_core", "client_app", "server_app", "simulations", "fedmvp")
UNPICKLERS = {"pickle", "dill", "joblib", "shelve", "marshal"}


def faults(source: str) -> list[str]:
    """Lines of a source that may unpickle what others wrote."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            )
            found += [f"{node.lineno}: imports {m}" for m in modules if m in UNPICKLERS]
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if ast.unparse(node.func) == "torch.load" and given.get("weights_only") != "True":
            found.append(f"{node.lineno}: torch.load without weights_only=True")
        loads = ast.unparse(node.func).rpartition(".")[2] in ("load", "read_array", "open_memmap")
        if loads and given.get("allow_pickle", "False") != "False":
            found.append(f"{node.lineno}: NumPy is allowed to unpickle")
        if ast.unparse(node.func).endswith("read_pickle"):
            found.append(f"{node.lineno}: pandas unpickles")
    return found


def test_nothing_is_unpickled() -> None:
    paths = [path for package in PACKAGES for path in sorted((PROJECT / package).rglob("*.py"))]
    found = {str(path.relative_to(PROJECT)): faults(path.read_text("utf-8")) for path in paths}
    assert len(found) > 200
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("torch.load(path, weights_only=True)", 0),
        ("torch.load(path)", 1),
        ("torch.load(path, weights_only=False)", 1),
        ("np.load(path, allow_pickle=True)", 1),
        ("np.load(path)", 0),
        ("import pickle", 1),
        ("from pickle import loads", 1),
        ("pd.read_pickle(path)", 1),
    ],
)
def test_what_would_unpickle_is_found(source: str, count: int) -> None:
    assert len(faults(source)) == count
