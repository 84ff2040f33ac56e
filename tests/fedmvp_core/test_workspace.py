"""What a configuration names, loaded."""

from pathlib import Path

import pytest
import torch
from run_configs import run_config

from fedmvp_core.errors import ConfigError
from fedmvp_core.workspace import feature_cache, open_backbone, open_workspace

TINY = {"backbone": "tiny", "pretrained": "", "device": "cpu"}


def test_a_workspace_is_what_the_configuration_names(tmp_path: Path) -> None:
    config = run_config(**TINY, dataset="emojidomains", cache_dir=str(tmp_path))
    opened = open_workspace(config)
    assert opened.backbone.device == torch.device("cpu")
    assert opened.setting.train.images.shape[-1] == opened.backbone.image_size == 64


def test_precision_and_device_may_be_other_ones() -> None:
    model = run_config(**{**TINY, "device": "auto", "precision": "bf16"}).model
    assert open_backbone(model, device="cpu", precision="fp32").precision == "fp32"
    with pytest.raises(ConfigError, match="precision 'bf16' needs a CUDA device"):
        open_backbone(model, device="cpu")


def test_features_are_cached_below_the_configured_folder(tmp_path: Path) -> None:
    assert feature_cache(run_config(cache_dir=str(tmp_path)).run).directory == tmp_path / "features"
