"""The project file is found in a checkout and in an installed wheel."""

from pathlib import Path

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner import project


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
