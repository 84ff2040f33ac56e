"""An image tower alone, in each form it is published in, on the text tower of another file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone import Backbone, load_backbone, save_image_tower, split_pretrained
from fedmvp_core.backbone.state_dicts import OPENAI_EXTRAS
from fedmvp_core.errors import CheckpointError, ConfigError

State = dict[str, Tensor]
PAD_PROMPTER = {name: torch.zeros(1, 3, 2, 2) for name in ("pad_up", "pad_down", "pad_left")}


@pytest.fixture
def tower() -> State:
    """An image tower that is not the embedded one, named as `clip.visual` names its tensors."""
    weights = load_backbone("tiny", "embedded").clip.visual.state_dict()
    return {name: (1.25 * value).half().float() for name, value in weights.items()}


def plain(tower: State, path: Path) -> None:
    torch.save(tower, path)  # RobustVLM: clip.visual.load_state_dict(torch.load(path))


def half_precision_pickle(tower: State, path: Path) -> None:
    content = {name: value.half() for name, value in tower.items()}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def data_parallel(tower: State, path: Path) -> None:
    torch.save({f"module.visual.{name}": value for name, value in tower.items()}, path)


def safetensors(tower: State, path: Path) -> None:
    save_file({f"visual.{name}": value for name, value in tower.items()}, path)


def adversarial_fine_tuning(tower: State, path: Path) -> None:
    content = {
        "epoch": 3,
        "state_dict": PAD_PROMPTER,  # the trap: a pixel prompter
        "add_prompter": {"prompt": torch.zeros(5, 8)},
        "best_acc1": 40.5,
        "vision_encoder_state_dict": {f"module.{name}": value for name, value in tower.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-5}]},
    }
    torch.save(content, path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (plain, "vitb32_tecoa_eps_1.pt"),
        (half_precision_pickle, "tower.pt"),
        (data_parallel, "tower.pth"),
        (safetensors, "tower.safetensors"),
        (adversarial_fine_tuning, "vitb32_eps4.pth.tar"),
    ],
)
def test_image_towers_go_with_the_text_tower_of_their_base(
    write: Callable[[State, Path], None], name: str, tower: State, tmp_path: Path
) -> None:
    write(tower, tmp_path / name)
    base = load_backbone("tiny", "embedded")
    loaded = load_backbone("tiny", f"embedded+{tmp_path}/{name}")
    expected = base.clip.state_dict() | {f"visual.{key}": value for key, value in tower.items()}
    for key, value in loaded.clip.state_dict().items():
        assert torch.equal(value, expected[key]), key
    assert loaded.weights_hash != base.weights_hash
    assert not any(weight.requires_grad for weight in loaded.parameters())
    with pytest.raises(CheckpointError, match=r"image tower only; .* 'openai\+.*" + name):
        load_backbone("tiny", tmp_path / name)


def test_a_saved_image_tower_comes_back(tower: State, tmp_path: Path) -> None:
    backbone = load_backbone("tiny", "embedded")
    backbone.clip.visual.load_state_dict(tower)
    save_image_tower(backbone.clip, tmp_path / "mine.safetensors")
    loaded = load_backbone("tiny", f"embedded+{tmp_path / 'mine.safetensors'}")
    assert same_weights(loaded, backbone)


def test_an_openai_base_keeps_quick_gelu(tmp_path: Path) -> None:
    openai = load_backbone("tiny").clip.state_dict()
    extras = dict(zip(OPENAI_EXTRAS, torch.tensor([64, 32, 4610]), strict=True))
    torch.save({**openai, **extras}, tmp_path / "clip.pt")
    tuned = {key[7:]: -value for key, value in openai.items() if key.startswith("visual.")}
    torch.save(tuned, tmp_path / "tower.pt")
    loaded = load_backbone("tiny", f"{tmp_path}/clip.pt+{tmp_path}/tower.pt")
    for blocks in (loaded.clip.visual.transformer.resblocks, loaded.clip.transformer.resblocks):
        assert type(blocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert torch.equal(loaded.clip.visual.proj, -openai["visual.proj"])
    assert torch.equal(loaded.clip.text_projection, openai["text_projection"])


def test_a_tag_can_be_the_base(
    tower: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_backbone("tiny", "embedded").clip.state_dict()
    torch.save(whole, tmp_path / "clip.pt")
    torch.save(tower, tmp_path / "tower.pt")
    tag = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "quick_gelu": True}
    monkeypatch.setattr(
        open_clip, "get_pretrained_cfg", lambda name, given: tag if given == "openai" else {}
    )
    monkeypatch.setattr(open_clip, "download_pretrained", lambda config: str(tmp_path / "clip.pt"))
    loaded = load_backbone("tiny", f"openai+{tmp_path}/tower.pt")
    assert torch.equal(loaded.clip.visual.proj, tower["proj"])
    assert type(loaded.clip.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("proj"), r"'visual\.proj' of shape \(128, 128\) is missing"),
        (lambda s: s.pop("class_embedding"), r"'visual\.class_embedding' of .* is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), r"holds a tensor 'visual\.extra' that"),
        (
            lambda s: s.update(proj=torch.zeros(128, 7)),
            r"'visual\.proj' has shape \(128, 7\), expected \(128, 128\)",
        ),
        (lambda s: s.update(note="text"), r"no plain state dict: 'visual\.note' is a str"),
    ],
)
def test_a_tower_of_another_model_is_refused_with_the_first_misfit(
    change: Any, message: str, tower: State, tmp_path: Path
) -> None:
    content: dict[str, Any] = dict(tower)
    change(content)
    torch.save(content, tmp_path / "tower.pt")
    with pytest.raises(CheckpointError, match=f"{tmp_path}/tower.pt .*{message}"):
        load_backbone("tiny", f"embedded+{tmp_path}/tower.pt")


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": PAD_PROMPTER},
        {"state_dict": {f"module.{name}": value for name, value in PAD_PROMPTER.items()}},
        {"state_dict": {}, "add_prompter": {"prompt": torch.zeros(5, 8)}},
        {"state_dict": {"patch": torch.zeros(1, 3, 4, 4)}, "epoch": 1},
    ],
)
@pytest.mark.parametrize("pretrained", ["{}", "embedded+{}"])
def test_a_prompter_without_weights_is_told(content: Any, pretrained: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model_best.pth.tar")
    with pytest.raises(CheckpointError, match="holds a pixel prompter only, no CLIP weights"):
        load_backbone("tiny", pretrained.format(tmp_path / "model_best.pth.tar"))


def test_a_whole_model_is_no_image_tower(tmp_path: Path) -> None:
    torch.save(load_backbone("tiny").clip.state_dict(), tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match="more than an image tower: give it alone"):
        load_backbone("tiny", f"embedded+{tmp_path}/clip.pt")


@pytest.mark.parametrize("pretrained", ["embedded+", "+tower.pt", "+"])
def test_half_a_pair_is_refused(pretrained: str) -> None:
    with pytest.raises(ConfigError, match="misses a part beside the plus sign"):
        load_backbone("tiny", pretrained)


def test_a_missing_tower_and_an_unknown_base_are_named(tower: State, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere/tower\.pt does not exist"):
        load_backbone("tiny", "embedded+nowhere/tower.pt")
    torch.save(tower, tmp_path / "tower.pt")
    with pytest.raises(ConfigError, match="'openai' is unknown for the backbone 'tiny'"):
        load_backbone("tiny", f"openai+{tmp_path}/tower.pt")


def test_a_file_with_a_plus_sign_in_its_name_is_one_file(tmp_path: Path) -> None:
    path = tmp_path / "clip+more.safetensors"
    save_file(load_backbone("tiny").clip.state_dict(), path)
    assert split_pretrained(str(path)) == (str(path), "")
    assert same_weights(load_backbone("tiny", str(path)), load_backbone("tiny"))
    assert split_pretrained("openai+a/b.pt") == ("openai", "a/b.pt")
    assert split_pretrained("openai") == ("openai", "")


def same_weights(one: Backbone, other: Backbone) -> bool:
    states = one.clip.state_dict(), other.clip.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[1])
