"""Fixtures of all tests: small configurations, folders and a backbone with random weights."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import forget_worker, set_identity
from hypothesis import HealthCheck, settings
from run_configs import run_config
from small_pictures import write_folder

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import RunConfig

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


# Tiny matrices: more threads only wait for one another, here and in processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def default_config(tmp_path: Path) -> Callable[..., RunConfig]:
    """pyproject.toml's defaults with random weights, and with folders of this test's own."""

    def make(**overrides: Any) -> RunConfig:
        folders = {"output_dir": str(tmp_path / "runs"), "cache_dir": str(tmp_path / "cache")}
        return run_config(**(folders | overrides))

    return make


@pytest.fixture(scope="session")
def _random_tiny() -> Backbone:
    return load_backbone("tiny")


@pytest.fixture
def tiny_backbone(_random_tiny: Backbone) -> Backbone:
    """The tiny architecture with random weights; its counts start at zero."""
    _random_tiny.encoded.clear()
    return _random_tiny


@pytest.fixture
def memory_cache() -> FeatureCache:
    """A feature cache without a folder."""
    return FeatureCache(None)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data-dir/<domain>/<class>/*.png: 2 domains, 6 classes, 6 pictures each."""
    root = tmp_path_factory.mktemp("pictures")
    classes = ("ant", "bee", "cow", "dog", "eel", "fox")
    return write_folder(root, classes, 6, domains=("drawn", "photo"))


@pytest.fixture
def small_run(
    default_config: Callable[..., RunConfig], picture_folder: Path
) -> Iterator[Callable[..., RunConfig]]:
    """Configurations of federations that take a second or two: two rounds over small pictures."""
    set_identity()
    forget_worker()

    def make(**overrides: Any) -> RunConfig:
        small: dict[str, Any] = {
            "run_name": "small",
            "dataset": "imagefolder",
            "data_dir": str(picture_folder),
            "rounds": 2,
            "batch_size": 8,
            "shots": 4,
            "evaluate_every": 5,
            "node_timeout": 5,
        }
        return default_config(**(small | overrides))

    yield make
    forget_worker()
