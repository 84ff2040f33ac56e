"""Which way imports point: between packages, between rooms of the core, and never in circles."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("fedmvp_core", "client_app", "server_app", "simulations", "fedmvp")
# What the modules of a package may not import.
FORBIDDEN = {
    "fedmvp_core": {"flwr", "ray", "client_app", "server_app", "simulations", "fedmvp"},
    "client_app": {"server_app", "simulations", "fedmvp"},
    "server_app": {"client_app", "simulations", "fedmvp"},
    "simulations": {"fedmvp"},
    "fedmvp": {"flwr", "ray", "client_app", "server_app"},
}
# Rooms of the core -> the only other parts of it that they may import.
ALLOWED_ROOMS = {
    "backbone": {"errors", "lockstep", "user_files"},
    "config": {"errors", "registry"},
    "losses": set[str](),
    "objectives": {"config", "local", "losses"},
    "adversarial": {"errors", "lockstep", "losses", "registry"},
    "lockstep": {"errors"},
}
# Rooms of the core -> parts of it that they may not import.
FORBIDDEN_ROOMS = {
    "data": {"adversarial", "local", "methods", "objectives", "terms", "training"},
    "prompting": {"adversarial", "local", "methods", "objectives", "terms", "training"},
    "local": {"methods", "objectives", "terms", "training"},
    "terms": {"methods", "objectives", "training"},
    "methods": {"training"},
}
# Where every import stands at the top of its module, but for packages that may not be installed or
# take long to load.
PLAIN = (
    *("fedmvp_core/backbone", "fedmvp_core/config", "fedmvp_core/data"),
    *("client_app", "server_app"),
)
LATE = {
    *("dp_accounting", "flwr_datasets", "open_clip", "prometheus_client", "scipy", "torchvision"),
    *("mlflow", "torch.utils.tensorboard", "trackio", "wandb"),
}
# The exception: commands, whose options must be known at once, import what they do in the function
# that does it. Elsewhere in the command line's package only what loads these waits for its use.
COMMANDS = "simulations/commands"
SLOW = {"torch", "flwr", "ray", "pandas", "matplotlib", "open_clip", "torchvision", "webbrowser"}
TOOLS = ("simulations/assets", "simulations/benchmarks")  # nobody waits for these to answer
LONGEST_FILE = 300


def sources(package: str) -> list[Path]:
    return sorted((PROJECT / package).rglob("*.py"))


def where(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def names_in(node: ast.AST) -> set[str]:
    """The modules that an import statement names; `from a import b` counts as a and as a.b."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import hides which way the arrow points"
        assert node.module is not None
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


@cache
def modules_imported_by(path: Path) -> frozenset[str]:
    """Names of all modules that a file imports, wherever in the file."""
    return frozenset(name for node in ast.walk(tree(path)) for name in names_in(node))


def imported_by(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in the file."""
    return {name.split(".")[0] for name in modules_imported_by(path)}


# --- packages


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str) -> None:
    broken = {
        where(path): sorted(imported_by(path) & FORBIDDEN[package])
        for path in sources(package)
        if imported_by(path) & FORBIDDEN[package]
    }
    assert not broken


def test_only_the_command_line_imports_the_commands() -> None:
    """What a command does stands elsewhere, so that others can do it without a command."""
    commands = "simulations.commands"
    broken = [
        where(path)
        for path in (*sources("simulations"), *sources("fedmvp"))
        if any(f"{name}.".startswith(f"{commands}.") for name in modules_imported_by(path))
        and path != PROJECT / "simulations" / "cli.py"
        and path.parent != PROJECT / "simulations" / "commands"
    ]
    assert not broken


# --- rooms of the core


def parts_of_core() -> set[str]:
    """Its folders and its single modules."""
    return {path.stem for path in (PROJECT / "fedmvp_core").iterdir() if path.stem[0] != "_"}


def rooms_imported_by(path: Path) -> set[str]:
    """The parts of the core that a file imports."""
    words = [name.split(".") for name in modules_imported_by(path)]
    return {parts[1] for parts in words if parts[0] == "fedmvp_core" and len(parts) > 1}


@pytest.mark.parametrize("room", ALLOWED_ROOMS)
def test_lower_rooms_import_what_is_named_here_and_nothing_else(room: str) -> None:
    assert (ALLOWED_ROOMS[room] | {room}) <= parts_of_core(), "a room of another name"
    others = parts_of_core() - ALLOWED_ROOMS[room] - {room}
    broken = {
        where(path): sorted(rooms_imported_by(path) & others)
        for path in sources(f"fedmvp_core/{room}")
        if rooms_imported_by(path) & others
    }
    assert sources(f"fedmvp_core/{room}")
    assert not broken


@pytest.mark.parametrize("room", FORBIDDEN_ROOMS)
def test_rooms_do_not_import_those_above_them(room: str) -> None:
    assert (FORBIDDEN_ROOMS[room] | {room}) <= parts_of_core(), "a room of another name"
    broken = {
        where(path): sorted(rooms_imported_by(path) & FORBIDDEN_ROOMS[room])
        for path in sources(f"fedmvp_core/{room}")
        if rooms_imported_by(path) & FORBIDDEN_ROOMS[room]
    }
    assert sources(f"fedmvp_core/{room}")
    assert not broken


# --- circles


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that run when a module is imported: all but what functions hold and types need."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


def import_graph(paths: Mapping[str, Path]) -> dict[str, set[str]]:
    """Module -> those of our modules that it imports when it is imported itself."""
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        graph[module] = set()
        for node in statements(tree(path).body):
            found = names_in(node) & set(paths)
            if isinstance(node, ast.ImportFrom) and all(
                f"{node.module}.{alias.name}" in paths for alias in node.names
            ):
                found -= {node.module}  # `from package import module` needs the modules alone
            graph[module] |= found - {module}
    return graph


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, the first one again at the end; [] if none."""
    done: set[str] = set()
    way: list[str] = []

    def visit(module: str) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        way.append(module)
        for other in sorted(graph[module]):
            if circle := visit(other):
                return circle
        done.add(way.pop())
        return []

    return next((circle for module in sorted(graph) if (circle := visit(module))), [])


def test_a_circle_would_be_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_module_imports_itself_by_way_of_others() -> None:
    paths = {module_name(path): path for package in PACKAGES for path in sources(package)}
    graph = import_graph(paths)
    assert "fedmvp_core.config" in graph["server_app.app"]
    assert circle_in(graph) == []


# --- where imports stand, and how long files are


def may_be_late(module: str) -> bool:
    """Whether it is, or is part of, what LATE names."""
    return any(f"{module}.".startswith(f"{late}.") for late in LATE)


@pytest.mark.parametrize("folder", PLAIN)
def test_imports_stand_at_the_top(folder: str) -> None:
    """One within a function hides a circle, or a package that may not be there."""
    hidden = [
        f"{where(path)}:{node.lineno} {ast.unparse(node)}"
        for path in sources(folder)
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not all(may_be_late(name) for name in names_in(node))
    ]
    assert sources(folder)
    assert not hidden


def loads_slowly(graph: Mapping[str, set[str]], paths: Mapping[str, Path], module: str) -> bool:
    """Whether importing one of our modules imports something slow, by whatever way."""
    seen, waiting = set[str](), {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        plain = {word for node in statements(tree(paths[name]).body) for word in names_in(node)}
        if {word.split(".")[0] for word in plain} & SLOW:
            return True
        parents = {name.rpartition(".")[0]} & set(paths)
        waiting |= (graph[name] | parents) - seen
    return False


def late_imports(path: Path) -> set[str]:
    """The modules that a file imports within functions."""
    functions = (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))
    return {
        name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for name in ({node.module} if isinstance(node, ast.ImportFrom) else names_in(node))
        if name is not None
    }


def test_outside_of_the_commands_only_what_is_slow_is_imported_late() -> None:
    paths = {module_name(path): path for package in PACKAGES for path in sources(package)}
    graph = import_graph(paths)
    broken = {
        where(path): sorted(late)
        for path in sources("simulations")
        if not where(path).startswith((COMMANDS, *TOOLS))
        and (
            late := {
                name
                for name in late_imports(path)
                if not (loads_slowly(graph, paths, name) if name in paths else name in SLOW | LATE)
            }
        )
    }
    assert loads_slowly(graph, paths, "simulations.runner.saved_run")
    assert not loads_slowly(graph, paths, "simulations.cli")
    assert not broken


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_too_long_to_be_read_at_once(package: str) -> None:
    lengths = {
        where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(package)
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}
