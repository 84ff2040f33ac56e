"""Promises about whole runs under Flower and Ray, with real processes."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from run_configs import SHORT
from safetensors.torch import load_file

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.run_folder import ENDED, read_status
from simulations.runner import flower
from simulations.runner.inline import run_inline
from simulations.runner.project import default_config, stage_app
from simulations.runner.resources import Resources
from simulations.runner.simulate import run_simulation
from simulations.runner.superlink import local_superlink

pytestmark = pytest.mark.slow
SUPERNODES = 3


def small_config(tmp_path: Path, name: str, **changes: Any) -> RunConfig:
    places = {"output-dir": str(tmp_path), "cache-dir": str(tmp_path / "cache"), "run-name": name}
    untested = {"pretrained": "", "robust-attack": "none"}
    return parse_config({**default_config(), **places, **SHORT, **untested, **changes})


def final_tensors(config: RunConfig, actors: int) -> dict[str, Any]:
    outcome = run_simulation(config, SUPERNODES, Resources(actors, 0, 0.0), lambda event: None)
    assert outcome.status == "completed", outcome.error
    return load_file(outcome.folder / "checkpoints" / "round-0002.safetensors")


def inline_tensors(config: RunConfig) -> dict[str, Any]:
    outcome = run_inline(config, SUPERNODES, lambda event: None)
    assert outcome.status == "completed", outcome.error
    return load_file(outcome.folder / "checkpoints" / "round-0002.safetensors")


def test_prompt_tensors_depend_neither_on_the_engine_nor_on_the_number_of_workers(
    tmp_path: Path,
) -> None:
    """Two workers side by side, and one process that trains one client after the other."""
    with_two = final_tensors(small_config(tmp_path, "two"), actors=2)
    inline = inline_tensors(small_config(tmp_path, "inline"))
    other_seed = inline_tensors(small_config(tmp_path, "other", seed=2))
    assert all(with_two[name].equal(inline[name]) for name in with_two)
    assert not all(with_two[name].equal(other_seed[name]) for name in with_two)


def test_clients_with_stale_sources_stop_the_run(tmp_path: Path) -> None:
    """A SuperLink puts the folder it was started in first on its clients' import path."""
    config = small_config(tmp_path, "stale")
    with local_superlink(tmp_path / "superlink.log") as link:
        app = stage_app(link.folder)
        for package in ("client_app", "server_app", "fedmvp_core"):
            shutil.copytree(app / package, link.folder / package)
        with (link.folder / "fedmvp_core" / "errors.py").open("a") as older:
            older.write("\n# an older state of the project\n")
        flower.submit(link, app, config, SUPERNODES, Resources(1, 0, 0.0))
        status = wait_for_end(tmp_path / "stale")
    assert status["status"] == "failed"
    assert f"the client runs the code in '{link.folder}'" in status["error"]
    assert "the server that in" in status["error"]


def wait_for_end(folder: Path, seconds: float = 180) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (folder / "status.json").exists() and read_status(folder).get("status") in ENDED:
            break
        time.sleep(0.5)
    return read_status(folder)
