"""Backbones with random weights, made once for all tests of the folder."""

import pytest
import torch

from fedmvp_core.backbone import Backbone, load_backbone


@pytest.fixture(scope="session")
def _tiny() -> Backbone:
    return load_backbone("tiny")


@pytest.fixture(scope="session")
def _small() -> Backbone:
    return load_backbone("ViT-S-32-alt")


@pytest.fixture
def tiny(_tiny: Backbone) -> Backbone:
    """The tiny architecture with random weights; its counts start at zero."""
    _tiny.encoded.clear()
    return _tiny


@pytest.fixture
def small(_small: Backbone) -> Backbone:
    """A small ViT of open_clip's with random weights; its counts start at zero."""
    _small.encoded.clear()
    return _small


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)
