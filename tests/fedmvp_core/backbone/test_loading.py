"""What `load_backbone` accepts, and which weights it takes."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from fedmvp_core.backbone import load_backbone
from fedmvp_core.errors import CheckpointError, ConfigError

SMALL = "ViT-S-32-alt"


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, second = load_backbone(SMALL), load_backbone(SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.weights_hash == second.weights_hash
    assert first.pretrained is None
    assert load_backbone(SMALL, "").weights_hash == first.weights_hash


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp16"}, "precision 'fp16' is unknown: use one of"),
        ({"precision": "bf16"}, "precision 'bf16' needs a CUDA device, not 'cpu'"),
        ({"device": "gpu"}, "device 'gpu' is unknown"),
        ({"pretrained": "embedded"}, "'embedded' belongs to the backbone 'tiny', not to"),
        (
            {"pretrained": "embedded-robust"},
            "'embedded-robust' belongs to the backbone 'tiny', not",
        ),
        ({"pretrained": "opneai"}, "'opneai' is unknown .* or none"),
        ({"name": "ViT-B-32", "pretrained": "opneai"}, "one of .* tags such as 'openai'"),
        ({"name": "tiny", "pretrained": "openai"}, "path, or 'embedded' or 'embedded-robust'"),
        ({"name": "RN50"}, "its image tower is a ResNet"),
        ({"name": "ViT-B-17"}, "did you mean 'ViT-B-16'"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_backbone(**{"name": SMALL, **arguments})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_cuda_device_is_named() -> None:
    with pytest.raises(ConfigError, match="torch finds no CUDA device"):
        load_backbone("tiny", device="cuda")


@pytest.mark.parametrize("path", ["weights/clip.pt", "clip.safetensors", Path("clip")])
def test_a_missing_checkpoint_is_named(path: str | Path) -> None:
    with pytest.raises(CheckpointError, match=f"the checkpoint {path} does not exist"):
        load_backbone(SMALL, path)


def test_a_tag_brings_its_statistics_and_quick_gelu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.pt"
    torch.save(load_backbone(SMALL).clip.state_dict(), path)
    tag = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "quick_gelu": True}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, given: tag)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda config: str(path))
    backbone = load_backbone(SMALL, "openai")
    assert type(backbone.clip.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert type(backbone.clip.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert backbone._config.mean == (0.5, 0.5, 0.5)
    grey = torch.full((1, 3, backbone.image_size, backbone.image_size), 0.5)
    tokens = backbone.embed_patches(grey)[0, 1:]  # grey is the mean, so patches are nothing
    assert torch.allclose(tokens, backbone.clip.visual.positional_embedding[1:], atol=1e-6)


def test_a_download_that_fails_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: object) -> str:
        raise OSError("no route to host\nsecond line")

    monkeypatch.setattr(open_clip, "download_pretrained", fail)
    message = r"'openai' of 'ViT-B-32' could not be downloaded \(OSError: no route to host\); "
    with pytest.raises(CheckpointError, match=message):
        load_backbone("ViT-B-32", "openai")
