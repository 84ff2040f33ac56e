"""The project file is found in a checkout and a wheel; the staged app is what Flower accepts."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner import project
from simulations.runner.environment import clean_environment


@pytest.fixture
def installed_in(monkeypatch, tmp_path):
    """Make the packages look as if they were installed in an empty folder; returns that folder."""
    monkeypatch.setattr(project, "package_folder", lambda name: tmp_path / name)
    project.project_file.cache_clear()
    yield tmp_path
    project.project_file.cache_clear()


def test_in_a_checkout_it_lies_beside_the_packages():
    assert project.project_file().parent == project.package_folder("simulations").parent


def test_in_a_wheel_it_is_package_data(installed_in: Path):
    file = installed_in / "simulations" / "app" / "pyproject.toml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert project.project_file() == file


def test_a_broken_installation_is_named(installed_in: Path):
    with pytest.raises(ConfigError, match=r"no pyproject\.toml at .* reinstall fedmvp"):
        project.project_file()


def test_flower_builds_it_with_every_source_and_nothing_else(tmp_path):
    app = project.stage_app(tmp_path)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,32}", app.name)
    environment = clean_environment(tmp_path)
    flwr = Path(sys.executable).parent / "flwr"
    subprocess.run(
        [flwr, "build", "--app", str(app)], cwd=tmp_path, env=environment, check=True, timeout=120
    )
    (bundle,) = tmp_path.glob("*.fab")
    with zipfile.ZipFile(bundle) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}
    expected = {
        f"{package}/{file.relative_to(project.package_folder(package)).as_posix()}"
        for package in project.APP_PACKAGES
        for file in project.package_folder(package).rglob("*.py")
    }
    assert packed == expected


def test_sources_are_copied_byte_by_byte(tmp_path):
    app = project.stage_app(tmp_path)
    original = project.package_folder("fedmvp_core") / "errors.py"
    assert (app / "fedmvp_core" / "errors.py").read_bytes() == original.read_bytes()
