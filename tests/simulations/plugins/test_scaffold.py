"""`fedmvp new` writes packages that install, keep their contracts and are clean."""

import subprocess
import sys
from pathlib import Path

import pytest
from light_environment import light_environment
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from simulations import cli
from simulations.plugins.scaffold import KINDS, LONGEST, write_package

LONG = "x" * LONGEST


def names(kind: str) -> tuple[str, str]:
    """A common name, and the longest that is allowed."""
    return f"my-{kind}", f"{kind}-{LONG}"[:LONGEST]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        for name in names(kind):
            write_package(kind, name, folder / name)
    return folder


def ran(*words: str | Path, cwd: Path) -> None:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_formatted_and_linted(packages: Path) -> None:
    """By the rules of this project, with the settings that each of them brings."""
    ran("ruff", "format", "--check", ".", cwd=packages)
    ran("ruff", "check", "--select", "E,F,W,I,B,UP,SIM,C4,RUF,PT,N", ".", cwd=packages)


@pytest.mark.slow
def test_they_are_typed(packages: Path) -> None:
    """By the settings that each of them brings; those are the same."""
    modules = [next((packages / names(kind)[0]).glob("fedmvp_*.py")) for kind in KINDS]
    settings = packages / names("method")[0] / "pyproject.toml"
    ran("mypy", "--config-file", settings, *modules, cwd=packages)


def test_modules_are_short(packages: Path) -> None:
    for module in packages.glob("*/fedmvp_*.py"):
        assert len(module.read_text().splitlines()) <= 40


@pytest.mark.slow
def test_their_tests_pass_once_installed(packages: Path, tmp_path: Path) -> None:
    common = [packages / names(kind)[0] for kind in KINDS]
    commands = light_environment(tmp_path / "venv", *common)
    command = [commands / "python", "-m", "pytest", "-q", "--import-mode=importlib", *common]
    done = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(KINDS)} passed" in done.stdout
    listed = [commands / "fedmvp", "list", "callbacks", "my-callback"]
    shown = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert "fedmvp-my-callback" in shown
    assert "so many rounds there is a line" in shown


def test_the_command_says_what_to_do_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["new", "objective", "calm"])
    assert result.exit_code == 0
    assert "pip install -e fedmvp-calm" in result.output
    assert "fedmvp check objective calm" in result.output
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {
        "fedmvp-calm/pyproject.toml",
        "fedmvp-calm/fedmvp_calm.py",
        "fedmvp-calm/tests/test_fedmvp_calm.py",
    }


@pytest.mark.parametrize(
    "name", ["", "My-Method", "1st", "a_b", "a--b", "-a", "a-", "a b", "../a", "x" * (LONGEST + 1)]
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"^name is '.*'; allowed: a letter"):
        write_package("method", name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="package fedmvp has a method of that name"):
        write_package("method", "fedmvp", tmp_path / "new")
    with pytest.raises(ConfigError, match="kind is 'partition'; did you mean aggregation"):
        write_package("partition", "mine", tmp_path / "new")
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "file"):
        with pytest.raises(ConfigError, match="which holds something; allowed: a new folder"):
            write_package("method", "mine", folder)
