"""The project: its file, the defaults of a run in it, and the app that Flower is handed."""

import shutil
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fedmvp_core.config import Scalar
from fedmvp_core.errors import ConfigError

APP_PACKAGES = ("client_app", "server_app", "fedmvp_core")
APP_NAME = "fedmvp"  # Flower allows letters, digits and hyphens, at most 32 of them


def package_folder(package: str) -> Path:
    """The folder that `import package` would use now, editable or installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the package '{package}' is not installed beside 'simulations'")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def project_file() -> Path:
    """pyproject.toml: beside the packages in a checkout, package data in an installed wheel."""
    simulations = package_folder("simulations")
    candidates = (simulations / "app" / "pyproject.toml", simulations.parent / "pyproject.toml")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(f"no pyproject.toml at {' or '.join(map(str, candidates))}; reinstall fedmvp")


@cache
def project_table() -> dict[str, Any]:
    """What pyproject.toml holds."""
    return tomllib.loads(project_file().read_text(encoding="utf-8"))


def default_config() -> dict[str, Scalar]:
    """Every run-config key with its default."""
    return dict(project_table()["tool"]["flwr"]["app"]["config"])


def entry_point_groups() -> tuple[str, ...]:
    """The plugin groups that the project declares, such as `fedmvp.methods`."""
    return tuple(project_table()["project"]["entry-points"])


def stage_app(parent: Path) -> Path:
    """Write the app into `parent/fedmvp` and return that folder.

    It holds the project file, the license and the sources that are imported now, and nothing else.
    Flower bundles whole folders and takes the folder's name for the app's, but a checkout may have
    any name and hold data and results. A staged app is small, and the same for a checkout and a
    wheel.
    """
    app = parent / APP_NAME
    app.mkdir(parents=True)
    for name in ("pyproject.toml", "LICENSE"):  # they stand together, installed or not
        shutil.copyfile(project_file().with_name(name), app / name)
    for package in APP_PACKAGES:
        source = package_folder(package)
        for file in sorted(source.rglob("*.py")):
            target = app / package / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return app
