"""Runs of several methods and their exports, made once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from federation_harness import forget_worker, run_federation, run_folder, set_identity
from run_configs import run_config

from simulations.export.writing import export_run

METHODS = ("fedmvp", "fedmvp-capt", "promptfl", "fedkeep", "capt", "fedclip")


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory, picture_folder: Path) -> Callable[..., Path]:
    """A run of one round by a method, with other keys if some are given; its folder."""
    root = tmp_path_factory.mktemp("tuned")
    made: dict[str, Path] = {}
    small: dict[str, Any] = {
        "output_dir": str(root / "runs"),
        "cache_dir": str(root / "cache"),
        "dataset": "imagefolder",
        "data_dir": str(picture_folder),
        "attributes": "template",
        "partition": "iid",
        "rounds": 1,
        "batch_size": 8,
        "shots": 2,
        "local_epochs": 1,
        "node_timeout": 5,
    }

    def make(method: str, **changed: Any) -> Path:
        name = method if not changed else f"{method}-{len(made)}"
        if name not in made:
            config = run_config(**{**small, "run_name": name, "method": method, **changed})
            set_identity()
            forget_worker()
            run_federation(config, clients=2)
            forget_worker()
            made[name] = run_folder(config)
        return made[name]

    return make


@pytest.fixture(scope="session")
def exports(
    make_run: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, tuple[Path, Path]]:
    """Method -> (run folder, export folder)."""
    root = tmp_path_factory.mktemp("exports")
    return {m: (make_run(m), export_run(make_run(m), root / m)) for m in METHODS}


@pytest.fixture(scope="session")
def exported(exports: Mapping[str, tuple[Path, Path]]) -> Path:
    """The export of a run of PromptFL; copy it before writing there."""
    return exports["promptfl"][1]
