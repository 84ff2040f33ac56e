"""`fedmvp new app`: an app folder for `flwr run`; the installed package does the work."""

import re
from importlib.metadata import version
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.plugins.scaffold import LONGEST, check_new_folder, written
from simulations.runner.project import project_file, project_table

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# What they are named after would hide the packages that they import.
_TAKEN = ("client-app", "server-app", "fedmvp", "fedmvp-core", "fedmvp-assets", "simulations")
LONGEST_NAME = min(LONGEST, 32)  # Flower's limit
_CONFIG = "[tool.flwr.app.config]\n"


def write_app(name: str, folder: Path | None = None, publisher: str = "me") -> list[Path]:
    """Write pyproject.toml, README, LICENSE and a package of two apps; return their paths.

    folder: None: NAME in the working directory.

    Raises:
        ConfigError: the name is not written as Flower's names are, or hides a package of ours, or
            the folder holds something.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"name is '{name}'; allowed: a letter, then a-z, 0-9 and single hyphens, such as "
            f"my-app, at most {LONGEST_NAME} characters"
        )
    if name in _TAKEN:
        raise ConfigError(f"name is '{name}', which a package of fedmvp has; such as my-app")
    folder = folder or Path(name)
    check_new_folder(folder)
    module = name.replace("-", "_")
    table = project_table()
    words = {
        "name": name,
        "module": module,
        "publisher": publisher,
        "fedmvp": version("fedmvp"),
        "flower": next(d for d in table["project"]["dependencies"] if d.startswith("flwr[")),
        "target": table["tool"]["flwr"]["app"]["flwr-version-target"],
        "config": _defaults(name),
    }
    files = {
        "pyproject.toml": "app_pyproject.toml",
        "README.md": "app_README",
        f"{module}/__init__.py": "app_init",
        f"{module}/installed.py": "app_installed",
        f"{module}/server_app.py": "app_server_app",
        f"{module}/client_app.py": "app_client_app",
    }
    paths = [written(folder / path, template, words) for path, template in files.items()]
    license = folder / "LICENSE"
    license.write_bytes(project_file().with_name("LICENSE").read_bytes())
    return [*paths, license]


def _defaults(name: str) -> str:
    """The keys of a run with their comments, as the project's own file has them.

    name: of the run, in place of the demo's.
    """
    text = project_file().read_text(encoding="utf-8").partition(_CONFIG)[2]
    keys = re.split(r"^\[", text, maxsplit=1, flags=re.MULTILINE)[0].strip()
    return re.sub(r'^run-name = "[^"]*"', f'run-name = "{name}"', keys)
