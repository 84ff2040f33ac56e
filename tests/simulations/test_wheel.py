"""The first minute: a wheel, an empty folder, and no source tree."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from light_environment import PROJECT

pytestmark = pytest.mark.slow
QUICK = "rounds=1 shots=1 evaluate-every=1 robust-attack=none seed=3"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel, which borrows all other packages."""
    root = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "-w", root, PROJECT]
    subprocess.run(build, check=True)
    (wheel,) = root.glob("fedmvp-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.startswith("tests/")]
    subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
    python = root / "venv" / "bin" / "python"
    # Before other packages are seen, of which this project may be one.
    subprocess.run([python, "-m", *pip[2:], "install", "--no-deps", wheel], check=True)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    borrowed = "\n".join(str(path) for path in borrowed_folders())
    (Path(site.stdout.strip()) / "zz_borrowed.pth").write_text(borrowed + "\n")
    return root / "venv" / "bin"


def borrowed_folders() -> list[Path]:
    """Folders of packages; what their .pth files name, such as a source tree, is not followed."""
    found = [Path(place) for place in sys.path if place.endswith("site-packages")]
    return list(dict.fromkeys([Path(sysconfig.get_path("purelib")), *found]))


def fedmvp(installed: Path, folder: Path, *words: str) -> str:
    command = [installed / "fedmvp", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(installed: Path, folder: Path, code: str) -> str:
    command = [installed / "python", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = "import simulations, pathlib; print(pathlib.Path(simulations.__file__).resolve())"
    assert str(installed.parent) in python(installed, tmp_path, where)
    assert "fedmvp demo" in fedmvp(installed, tmp_path)
    folders = [f"cache-dir={tmp_path / 'cache'}"]
    said = fedmvp(installed, tmp_path, "demo", *QUICK.split(), "--engine", "inline", *folders)
    assert "report: " in said
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
    assert "demo" in fedmvp(installed, tmp_path, "list")
    fedmvp(installed, tmp_path, "new", "app", "mine")
    fedmvp(installed, tmp_path, "new", "method", "mine")
    watch = "from simulations.watch.server import WatchServer; from pathlib import Path\n"
    watch += "print(WatchServer(Path('runs')).answer('/run/demo').content.decode())\n"
    watch += "print(WatchServer(Path('runs')).answer('/watch.js').status)"
    page = python(installed, tmp_path, watch)
    assert "1 of 1</b> rounds done" in page
    assert page.splitlines()[-1] == "200"
