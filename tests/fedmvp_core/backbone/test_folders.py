"""Folders in open_clip's form: the config decides architecture, activation and statistics."""

import copy
import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.constants import OPENAI_DATASET_MEAN
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone import folders, load_backbone
from fedmvp_core.errors import CheckpointError, ConfigError

MODEL: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}
STATISTICS = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "interpolation": "bicubic"}


def write_folder(folder: Path, model: dict[str, Any] | None = None, **content: Any) -> Path:
    """A folder as open_clip saves it, with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": model or MODEL, **content}
    (folder / folders.CONFIG_FILE).write_text(json.dumps(config))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small model with weights that no seed gives."""
    made = write_folder(tmp_path / "robust", preprocess_cfg=STATISTICS)
    (made / folders.WEIGHT_FILES[1]).touch()  # unreadable: the safetensors file comes first
    write_weights(made / folders.WEIGHT_FILES[0])
    return made


def write_weights(path: Path) -> dict[str, Tensor]:
    torch.manual_seed(3)
    state: dict[str, Tensor] = open_clip.CLIP(**copy.deepcopy(MODEL)).state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return state


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_a_folder_brings_architecture_weights_and_statistics(prefix: str, folder: Path) -> None:
    backbone = load_backbone(f"{prefix}{folder}")
    state = write_weights(folder / "copy.safetensors")
    for name, value in backbone.clip.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert (backbone.image_size, backbone.embed_dim, backbone.context_length) == (32, 16, 20)
    assert type(backbone.clip.visual.transformer.resblocks[0].mlp.gelu).__name__ == "GELU"
    mean = torch.tensor(STATISTICS["mean"]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    patches = backbone.embed_patches(mean)[0, 1:]  # the mean is nothing, but for the positions
    assert torch.allclose(patches, backbone.clip.visual.positional_embedding[1:], atol=1e-6)
    assert backbone.tokenize(["a cat"]).shape == (1, 20)
    assert backbone.encode_text(["a cat"]).shape == (1, 16)


def test_weights_may_lie_in_a_pickle(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    state = write_weights(folder / folders.WEIGHT_FILES[1])
    assert torch.equal(load_backbone(str(folder)).clip.visual.proj, state["visual.proj"])


def test_quick_gelu_where_the_config_says_so(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, MODEL | {"quick_gelu": True})
    write_weights(folder / folders.WEIGHT_FILES[0])
    backbone = load_backbone(str(folder))
    assert type(backbone.clip.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert backbone._config.mean == OPENAI_DATASET_MEAN


def test_other_weights_can_be_put_into_a_folder_s_architecture(
    folder: Path, tmp_path: Path
) -> None:
    state = load_backbone(str(folder)).clip.state_dict()
    tower = {name: value + 1 for name, value in state.items() if name.startswith("visual.")}
    save_file(tower, tmp_path / "tower.safetensors")
    base = folder / folders.WEIGHT_FILES[0]
    mixed = load_backbone(str(folder), f"{base}+{tmp_path / 'tower.safetensors'}")
    assert torch.equal(mixed.clip.visual.proj, state["visual.proj"] + 1)
    assert torch.equal(mixed.clip.text_projection, state["text_projection"])
    with pytest.raises(ConfigError, match=r"'openai' is unknown .* or '' for the backbone's own"):
        load_backbone(str(folder), "openai")


def test_a_hub_id_downloads_config_and_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(repository: str, filename: str | None = None) -> str:
        asked.append((repository, filename))
        return str(folder / (filename or folders.WEIGHT_FILES[0]))

    monkeypatch.setattr(open_clip.pretrained, "download_pretrained_from_hf", fetch)
    backbone = load_backbone("hf-hub:chs20/TeCoA4-ViT-B-32-laion2B-s34B-b79K")
    assert backbone.weights_hash == load_backbone(str(folder)).weights_hash
    assert {repository for repository, _ in asked} == {"chs20/TeCoA4-ViT-B-32-laion2B-s34B-b79K"}
    assert [filename for _, filename in asked] == [folders.CONFIG_FILE, None]


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(repository: str, filename: str | None = None) -> str:
        raise OSError("no route to host\nsecond line")

    monkeypatch.setattr(open_clip.pretrained, "download_pretrained_from_hf", fail)
    message = r"'hf-hub:chs20/x' could not be downloaded \(OSError: no route to host\); .* folder"
    with pytest.raises(CheckpointError, match=message):
        load_backbone("hf-hub:chs20/x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "ValueError: line 1, column 2"),
        ('{"model_cfg": {}, "model_cfg": {}}', "names twice: 'model_cfg'"),
        ("[]", "TypeError"),
        ('{"model_cfg": {"embed_dim": 4}}', "KeyError: 'vision_cfg'"),
        ('{"model_cfg": {"vision_cfg": 1, "text_cfg": {}}}', "TypeError"),
    ],
)
def test_a_damaged_config_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / folders.CONFIG_FILE).write_text(text)
    with pytest.raises(
        CheckpointError, match=f"{folders.CONFIG_FILE} .* cannot be used.*{message}"
    ):
        load_backbone(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"custom_text": True}, "lacks: custom_text"),
        ({"vision_cfg": MODEL["vision_cfg"] | {"new_option": 1}}, "lacks: new_option"),
        ({"vision_cfg": {"timm_model_name": "convnext_base"}}, "timm's 'convnext_base'"),
        ({"text_cfg": {"hf_model_name": "roberta-base"}}, "Hugging Face's 'roberta-base'"),
    ],
)
def test_other_towers_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_backbone(str(write_folder(tmp_path, MODEL | change)))


def test_a_tokenizer_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    text = MODEL["text_cfg"] | {"vocab_size": 1000}
    folder = write_folder(tmp_path, MODEL | {"text_cfg": text})
    state = write_weights(folder / "other.safetensors")
    state["token_embedding.weight"] = state["token_embedding.weight"][:1000].clone()
    save_file(state, folder / folders.WEIGHT_FILES[0])
    with pytest.raises(CheckpointError, match="has 49408 words, its config says 1000"):
        load_backbone(str(folder))


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no weights: neither open_clip_model"):
        load_backbone(str(write_folder(tmp_path)))
    with pytest.raises(
        CheckpointError, match=r"nowhere/open_clip_config\.json .*FileNotFoundError"
    ):
        load_backbone(f"local-dir:{tmp_path}/nowhere")
    with pytest.raises(ConfigError, match=r"is unknown.*a folder with open_clip_config\.json"):
        load_backbone(str(tmp_path / "nowhere"))
