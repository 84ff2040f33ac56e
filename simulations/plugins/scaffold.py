"""`fedmvp new`: a package of one plugin that works at once."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from string import Template

from fedmvp_core.config import did_you_mean
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import names_in, package_named
from simulations.runner.project import package_folder

# Kind -> its entry-point group, and the object of the module that the entry point names.
KINDS: Mapping[str, tuple[str, str]] = {
    "method": ("fedmvp.methods", "method"),
    "objective": ("fedmvp.objectives", "objective"),
    "aggregation": ("fedmvp.aggregations", "aggregation"),
    "strategy": ("fedmvp.strategies", "MovingAverage"),
    "callback": ("fedmvp.callbacks", "callback"),
}
LONGEST = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def group_of(kind: str) -> str:
    """The entry-point group of one's kind, such as "method"; raises ConfigError if unknown."""
    if kind not in KINDS:
        raise ConfigError(f"kind is '{kind}'{did_you_mean(kind, list(KINDS))}")
    return KINDS[kind][0]


def write_package(kind: str, name: str, folder: Path | None = None) -> list[Path]:
    """Write pyproject.toml, a module and a test of it; return their paths.

    folder: None: fedmvp-NAME in the working directory.

    Raises:
        ConfigError: the kind is unknown, the name is taken or not written as names are, or the
            folder holds something.
    """
    group, attribute = group_of(kind), KINDS[kind][1]
    _check_name(kind, group, name)
    folder = folder or Path(f"fedmvp-{name}")
    check_new_folder(folder)
    module = f"fedmvp_{name.replace('-', '_')}"
    words = {
        "kind": kind,
        "name": name,
        "module": module,
        "group": group,
        "attribute": attribute,
        "fedmvp": version("fedmvp"),
    }
    files = {
        "pyproject.toml": "pyproject.toml",
        f"{module}.py": kind,
        f"tests/test_{module}.py": "test",
    }
    return [written(folder / path, template, words) for path, template in files.items()]


def _check_name(kind: str, group: str, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise ConfigError(
            f"name is '{name}'; allowed: a letter, then a-z, 0-9 and single hyphens, such as "
            f"my-{kind}, at most {LONGEST} characters"
        )
    if name in names_in(group):
        raise ConfigError(
            f"name is '{name}'; package {package_named(group, name)} has a {kind} of that name"
        )


def check_new_folder(folder: Path) -> None:
    """Raises ConfigError for a folder that holds something, or is none."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"folder is '{folder}', which holds something; allowed: a new folder")


def written(path: Path, template: str, words: Mapping[str, str]) -> Path:
    """Write a file from a template; returns its path."""
    source = package_folder("simulations") / "plugins" / "templates" / f"{template}.template"
    text = Template(source.read_text(encoding="utf-8")).substitute(words)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
