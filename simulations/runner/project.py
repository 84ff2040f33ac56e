"""The project file: where it is, and the defaults of a run that it holds."""

import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fedmvp_core.config import Scalar
from fedmvp_core.errors import ConfigError

APP_PACKAGES = ("client_app", "server_app", "fedmvp_core")


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
def _project() -> dict[str, Any]:
    return tomllib.loads(project_file().read_text(encoding="utf-8"))


def default_config() -> dict[str, Scalar]:
    """Every run-config key with its default."""
    return dict(_project()["tool"]["flwr"]["app"]["config"])


def entry_point_groups() -> tuple[str, ...]:
    """The plugin groups that the project declares, such as `fedmvp.methods`."""
    return tuple(_project()["project"]["entry-points"])
