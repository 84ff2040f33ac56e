"""`fedmvp new app` writes an app that Flower builds and runs, and that says what it lacks."""

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from light_environment import light_environment
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from simulations import cli
from simulations.plugins.new_app import write_app
from simulations.runner.environment import clean_environment
from simulations.runner.project import default_config

# Submits the app in argv[1] to a SuperLink of its own, and waits until its run folder says the end.
SUBMIT = """
import sys, time
from pathlib import Path
from fedmvp_core.config import parse_config
from fedmvp_core.run_folder import ENDED, read_status
from simulations.runner import flower
from simulations.runner.resources import Resources
from simulations.runner.superlink import local_superlink
from simulations.runner.project import default_config

app, output, pictures = map(Path, sys.argv[1:])
asked = {"rounds": 1, "shots": 2, "dataset": "imagefolder", "pretrained": "", "run-name": "one",
    "method": "promptfl", "robust-attack": "none", "output-dir": str(output),
    "cache-dir": str(output / "cache"), "data-dir": str(pictures), "batch-size": 8}
with local_superlink(output / "superlink.log") as link:
    config = parse_config({**default_config(), **asked})
    run_id = flower.submit(link, app, config, 2, Resources(1, 0, 0.0))
    log = flower.follow_log(link, run_id, output / "app.log")
    end = time.monotonic() + 240
    while time.monotonic() < end and read_status(output / "one").get("status") not in ENDED:
        if log.poll() is not None:
            break
        time.sleep(0.5)
    log.kill()
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    write_app("my-app", tmp_path / "my-app")
    return tmp_path / "my-app"


def test_flower_builds_it_small_with_every_key(app: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from flwr.cli.app import app; app()", "build", "--app", app],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missing" not in done.stdout
    (bundle,) = tmp_path.glob("*.fab")
    assert bundle.stat().st_size < 20_000
    with zipfile.ZipFile(bundle) as archive:
        packed = set(archive.namelist())
        config = tomllib.loads(archive.read("pyproject.toml").decode())
    modules = {
        f"my_app/{name}.py" for name in ("__init__", "installed", "client_app", "server_app")
    }
    assert packed == modules | {"pyproject.toml", "README.md", "LICENSE", ".info/CONTENT"}
    assert config["tool"]["flwr"]["app"]["config"] == {**default_config(), "run-name": "my-app"}


def test_it_is_formatted_and_linted(app: Path) -> None:
    for words in (["format", "--check"], ["check", "--select", "E,F,W,I,B,UP,SIM,RUF"]):
        command = [sys.executable, "-m", "ruff", *words, "--line-length", "100", app]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["client_app", "server_app"])
def test_a_missing_package_is_one_line(app: Path, module: str) -> None:
    """In an interpreter without packages: -S leaves out where they are installed."""
    code = f"import sys; sys.path.insert(0, {str(app)!r}); import my_app.{module}"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: the app my-app needs the package fedmvp (")
    assert "pip install 'fedmvp>=" in last
    assert "ModuleNotFoundError" not in done.stderr


@pytest.mark.slow
def test_flower_runs_it(app: Path, tmp_path: Path, picture_folder: Path) -> None:
    commands = light_environment(tmp_path / "venv")
    output = tmp_path / "runs"
    output.mkdir()
    command = [commands / "python", "-c", SUBMIT, app, output, picture_folder]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status = json.loads((output / "one" / "status.json").read_text())
    assert (status["status"], status["rounds-completed"]) == ("completed", 1), (
        status,
        (output / "app.log").read_text()[-3000:],
    )


def test_the_command_and_what_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(cli.app, ["new", "app", "eyes"])
    assert made.exit_code == 0
    assert "next: flwr run eyes --stream" in made.output
    assert (tmp_path / "eyes" / "eyes" / "client_app.py").is_file()
    again = CliRunner().invoke(cli.app, ["new", "app", "eyes"])
    assert "folder is 'eyes', which holds something" in again.stderr
    for name in ("My-App", "a_b", "-a", "x" * 33, "../a", ""):
        with pytest.raises(ConfigError, match=r"^name is '.*'; allowed: a letter"):
            write_app(name, tmp_path / "new")
    with pytest.raises(ConfigError, match="which a package of fedmvp has"):
        write_app("client-app", tmp_path / "new")
    assert not (tmp_path / "new").exists()
