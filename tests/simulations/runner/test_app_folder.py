"""The staged app is what Flower accepts, and holds the sources that are imported here."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from simulations.runner.app_folder import stage_app
from simulations.runner.environment import clean_environment
from simulations.runner.project import APP_PACKAGES, package_folder


def test_flower_builds_it_with_every_source_and_nothing_else(tmp_path):
    app = stage_app(tmp_path)
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
        f"{package}/{file.relative_to(package_folder(package)).as_posix()}"
        for package in APP_PACKAGES
        for file in package_folder(package).rglob("*.py")
    }
    assert packed == expected


def test_sources_are_copied_byte_by_byte(tmp_path):
    app = stage_app(tmp_path)
    original = package_folder("fedmvp_core") / "config.py"
    assert (app / "fedmvp_core" / "config.py").read_bytes() == original.read_bytes()
