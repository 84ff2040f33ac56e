"""Which way imports point between the inner rooms, and that none leads in a circle."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("fedmvp_core", "client_app", "server_app", "simulations")
LONGEST = 300  # lines of a file
# Rooms of fedmvp_core, and those of its rooms and files that they may not import.
MAY_NOT = {
    "backbone": ("config", "data", "prompting", "losses", "objectives", "methods", "adversarial"),
    "config": ("backbone", "data", "prompting", "losses", "objectives", "methods", "adversarial"),
    "losses": ("objectives", "methods", "local", "adversarial", "data", "prompting", "terms"),
    "adversarial": ("local", "objectives", "methods", "data", "prompting", "terms", "training"),
    "data": ("methods", "objectives", "local", "adversarial", "prompting", "terms", "training"),
    "attributes": ("methods", "objectives", "local", "adversarial", "prompting", "terms"),
    "metrics": ("methods", "objectives", "local", "adversarial", "prompting", "data", "terms"),
    "prompting": ("methods", "objectives", "local", "adversarial", "losses", "terms", "training"),
    "local": ("methods", "objectives", "terms", "training"),
    "objectives": ("methods", "terms", "training", "adversarial"),
    "terms": ("methods", "objectives", "training"),
    "methods": ("training", "exchange"),
    "privacy": ("methods", "objectives", "local", "adversarial", "prompting", "data", "training"),
}
# Packages that a user may do without: they are imported where they are needed.
OPTIONAL = {"prometheus_client", "scipy", "torchvision", "flwr_datasets", "pyautoattack"}
OPTIONAL |= {"dp_accounting"}


def modules() -> dict[str, Path]:
    """Dotted name -> file."""
    found = {}
    for package in PACKAGES:
        for path in (PROJECT / package).rglob("*.py"):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def top_level_imports(path: Path) -> Iterator[str]:
    """Names of all that a file imports when it is imported itself, names within modules too."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> dict[str, set[str]]:
    """Module -> modules of the project that it imports."""
    known = modules()
    return {
        name: {other for other in top_level_imports(path) if other in known and other != name}
        for name, path in known.items()
    }


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules of which each imports the next and the last the first; [] where there are none."""
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            found = search(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    return next(filter(None, (search(name, []) for name in sorted(graph))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_module_imports_itself_by_a_detour() -> None:
    """A package's __init__ that gathers names of its own modules is no detour."""
    graph = imports()
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    for name, others in graph.items():
        graph[name] = {o for o in others if not (o in packages and name.startswith(f"{o}."))}
    assert circle(graph) == []


@pytest.mark.parametrize("room", MAY_NOT)
def test_arrows_between_the_inner_rooms(room: str) -> None:
    forbidden = tuple(f"fedmvp_core.{other}" for other in MAY_NOT[room])
    broken = {
        name: sorted(
            o for o in others if o in forbidden or o.startswith(tuple(f"{f}." for f in forbidden))
        )
        for name, others in imports().items()
        if f"{name}.".startswith(f"fedmvp_core.{room}.")
    }
    assert {name: others for name, others in broken.items() if others} == {}


@pytest.mark.parametrize("package", ["fedmvp_core", "client_app", "server_app"])
def test_functions_import_optional_packages_alone(package: str) -> None:
    """What hides in a function is no arrow that anybody sees."""
    hidden = []
    for path in sorted((PROJECT / package).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                taken = [n for n in names if n.split(".")[0] not in OPTIONAL]
                hidden += [f"{path.relative_to(PROJECT)}: {name}" for name in taken]
    assert hidden == []


def test_no_file_is_longer_than_is_read_at_once() -> None:
    lengths = {n: len(p.read_text(encoding="utf-8").splitlines()) for n, p in modules().items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
