"""Stages the Flower app: project file, license and the sources that are imported now, no more.

Flower bundles whole folders and takes the folder's name for the app's; a checkout may hold data,
results and any name. A staged copy is small, has an allowed name, and is the same for a checkout
and for an installed wheel.
"""

import shutil
from pathlib import Path

from simulations.runner.project import APP_PACKAGES, package_folder, project_file

# Flower allows letters, digits and hyphens, at most 32 of them.
APP_NAME = "fedmvp"


def stage_app(parent: Path) -> Path:
    """Write the app into `parent/fedmvp` and return that folder."""
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
