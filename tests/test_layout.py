"""The house keeps its rules: what the bundle carries, what must exist and what must load."""

import ast
import fnmatch
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from server_app.replies.checks import REPORTED

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("fedmvp_core", "client_app", "server_app", "simulations", "fedmvp")
# Written to be run by hand, with packages that are no dependencies of the project.
SCRIPTS = "simulations.assets."


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(package: str) -> list[Path]:
    return sorted((PROJECT / package).rglob("*.py"))


def test_a_run_never_syncs_dependencies(pyproject: dict[str, Any]) -> None:
    """A name that is missing here makes Flower install it anew for every run."""
    excluded = set(pyproject["tool"]["uv"]["exclude-dependencies"])
    needed = {
        re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
        for requirement in pyproject["project"]["dependencies"]
    }
    assert excluded == needed


def bundled(pyproject: dict[str, Any]) -> list[Path]:
    patterns = pyproject["tool"]["flwr"]["app"]["fab-include"]
    files: list[Path] = []
    for pattern in patterns:
        found = sorted(PROJECT.glob(pattern))
        assert found, f"'{pattern}' matches nothing, which Flower refuses"
        files += found
    return files


def test_the_bundle_carries_the_three_packages_the_license_and_nothing_else(
    pyproject: dict[str, Any],
) -> None:
    expected = {path for package in PACKAGES[:3] for path in sources(package)}
    assert set(bundled(pyproject)) == expected | {PROJECT / "LICENSE"}


def test_flower_builds_the_bundle_from_a_checkout(
    pyproject: dict[str, Any], tmp_path: Path
) -> None:
    """Flower's own rules, those of `fab-format-version` included, applied to the real folders."""
    app = tmp_path / "checkout"  # a name that Flower allows, whatever this checkout is called
    for folder in (*PACKAGES, "fedmvp_assets", "tests", "docs", "docker"):
        shutil.copytree(PROJECT / folder, app / folder, ignore=shutil.ignore_patterns("secrets"))
    for file in ("pyproject.toml", "LICENSE", "README.md", ".gitignore"):
        shutil.copy(PROJECT / file, app)
    done = subprocess.run(
        [sys.executable, "-c", "from flwr.cli.app import app; app()", "build", "--app", app],
        cwd=tmp_path,
        env={**os.environ, "FLWR_HOME": str(tmp_path / "flwr"), "FLWR_DISABLE_UPDATE_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "missing" not in done.stdout, "Flower recommends properties that pyproject.toml lacks"
    (bundle,) = tmp_path.glob("*.fab")
    with zipfile.ZipFile(bundle) as archive:
        packed = set(archive.namelist())
        config = tomllib.loads(archive.read("pyproject.toml").decode())
    expected = {path.relative_to(PROJECT).as_posix() for path in bundled(pyproject)}
    assert packed == expected | {"pyproject.toml", ".info/CONTENT"}
    assert config["tool"]["flwr"] == pyproject["tool"]["flwr"]


def allowed_flower(pyproject: dict[str, Any]) -> list[str]:
    """The first release of each minor version of Flower that the project may be installed with."""
    requirements = map(Requirement, pyproject["project"]["dependencies"])
    (flower,) = (each.specifier for each in requirements if each.name == "flwr")
    return [release for release in (f"1.{minor}.0" for minor in range(100)) if release in flower]


def test_the_bundle_and_the_images_are_made_for_the_newest_flower(
    pyproject: dict[str, Any],
) -> None:
    target = pyproject["tool"]["flwr"]["app"]["flwr-version-target"]
    assert target.split(".")[:2] == allowed_flower(pyproject)[-1].split(".")[:2]
    pinned = (PROJECT / "docker" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"flwr=={target}" in pinned


def test_both_versions_of_flower_are_tested(pyproject: dict[str, Any]) -> None:
    """`.ci/run` tests with the version that pip chose, and with the other of two that it names."""
    named = re.findall(r"other=(\d+\.\d+)", (PROJECT / ".ci" / "run").read_text(encoding="utf-8"))
    assert sorted(f"{version}.0" for version in named) == allowed_flower(pyproject)


def test_the_bundle_has_no_file_that_flower_drops(pyproject: dict[str, Any]) -> None:
    dropped = [
        path.name
        for path in bundled(pyproject)
        if fnmatch.fnmatch(path.name, "test_*.py") or fnmatch.fnmatch(path.name, "*_test.py")
    ]
    assert not dropped


def test_the_bundle_is_small_and_code_only(pyproject: dict[str, Any]) -> None:
    assert sum(path.stat().st_size for path in bundled(pyproject)) < 2_000_000
    for package in PACKAGES[:3]:
        others = [
            path
            for path in (PROJECT / package).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        assert not others, "data belongs in fedmvp_assets: a bundle hides the installed package"


def test_the_wheel_carries_every_package_and_its_types(pyproject: dict[str, Any]) -> None:
    packed = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packed) == {*PACKAGES, "fedmvp_assets"}
    assert (PROJECT / "fedmvp" / "py.typed").is_file()


def test_no_federations_section(pyproject: dict[str, Any]) -> None:
    """Flower would move it to the user's own configuration and edit pyproject.toml."""
    assert "federations" not in pyproject["tool"]["flwr"]


def modules(package: str) -> list[str]:
    found = importlib.import_module(package)
    walked = pkgutil.walk_packages(found.__path__, f"{package}.")
    return [package, *(module.name for module in walked)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_imports(package: str) -> None:
    for name in modules(package):
        if name.startswith(SCRIPTS) or name.endswith("__main__"):
            continue
        importlib.import_module(name)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_and_package_says_what_it_is(package: str) -> None:
    bare = [
        str(path.relative_to(PROJECT))
        for path in sources(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not bare


def test_every_package_is_a_regular_one() -> None:
    """Without __init__.py a folder is left out of some imports and of some wheels."""
    for package in PACKAGES:
        for path in sources(package):
            assert (path.parent / "__init__.py").exists(), path


# Plugins of these groups are descriptions that name their functions.
DESCRIBED = ("fedmvp.methods", "fedmvp.objectives", "fedmvp.terms", "fedmvp.aggregations")


def test_every_entry_point_loads(pyproject: dict[str, Any]) -> None:
    declared = pyproject["project"]["entry-points"]
    assert declared
    for group, names in declared.items():
        installed = {entry.name: entry for entry in entry_points(group=group)}
        for name, value in names.items():
            assert installed[name].value == value, f"{group} {name}: install the project again"
            loaded = installed[name].load()
            assert callable(loaded) or group in DESCRIBED, f"{group} {name}"


def test_the_apps_are_where_flower_looks(pyproject: dict[str, Any]) -> None:
    components = pyproject["tool"]["flwr"]["app"]["components"]
    for value in components.values():
        module, name = value.split(":")
        assert getattr(importlib.import_module(module), name) is not None


def test_every_method_has_a_file_a_test_and_a_line_in_the_documentation(
    pyproject: dict[str, Any],
) -> None:
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    written = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.exists())
    for name, value in pyproject["project"]["entry-points"]["fedmvp.methods"].items():
        file = name.replace("-", "_")
        assert value == f"fedmvp_core.methods.{file}:method"
        assert (PROJECT / "fedmvp_core" / "methods" / f"{file}.py").exists()
        assert (PROJECT / "tests" / "fedmvp_core" / "methods" / f"test_{file}.py").exists()
        assert name in written, f"no page of the documentation mentions '{name}'"


def test_every_metric_on_the_wire_is_documented() -> None:
    page = (PROJECT / "docs" / "run_folder.md").read_text(encoding="utf-8")
    assert all(f"`{metric}`" in page for metric in REPORTED)
