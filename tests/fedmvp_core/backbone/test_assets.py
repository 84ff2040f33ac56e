"""The embedded tiny backbone: loaded as shipped, refused when damaged."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fedmvp_core.backbone import assets, load_backbone
from fedmvp_core.errors import CheckpointError

(WEIGHTS,) = assets.EMBEDDED_WEIGHTS["embedded"]
FILES = (WEIGHTS, assets.CONFIG_FILE, assets.MERGES_FILE)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed config and merges with other weights and a fresh manifest, to be damaged."""
    original = assets.asset_root()
    (tmp_path / "tiny_clip").mkdir()
    for name in (assets.CONFIG_FILE, assets.MERGES_FILE):
        shutil.copyfile(original / name, tmp_path / name)
    weights = load_backbone("tiny").clip.state_dict()
    save_file({name: tensor.half() for name, tensor in weights.items()}, tmp_path / WEIGHTS)
    manifest = {name: {"sha256": sha256(tmp_path / name)} for name in FILES}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(assets, "asset_root", lambda: tmp_path)
    return tmp_path


def test_embedded_weights_load() -> None:
    embedded, random = load_backbone("tiny", "embedded"), load_backbone("tiny")
    assert embedded.pretrained == "embedded"
    assert embedded.weights_hash != random.weights_hash
    with torch.no_grad():
        features = embedded.encode_image(torch.rand(2, 3, 64, 64), normalize=True)
    assert torch.allclose(features.norm(dim=-1), torch.ones(2))


def test_the_robust_weights_share_the_text_tower() -> None:
    robust = load_backbone("tiny", "embedded-robust")
    assert robust.pretrained == "embedded-robust"
    first = load_backbone("tiny", "embedded").clip.state_dict()
    for name, value in robust.clip.state_dict().items():
        assert torch.equal(value, first[name]) != name.startswith("visual."), name


def test_weights_that_match_the_manifest_load(copied: Path) -> None:
    embedded, random = load_backbone("tiny", "embedded"), load_backbone("tiny")
    expected = random.clip.visual.proj.half().float()
    assert torch.equal(embedded.clip.visual.proj, expected)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_with_both_hashes(copied: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[-1] ^= 1
    (copied / name).write_bytes(content)
    expected = json.loads((copied / "manifest.json").read_text())[name]["sha256"]
    found = sha256(copied / name)
    message = f"{copied / name} is damaged: expected SHA-256 {expected}, found {found}"
    with pytest.raises(CheckpointError, match=message):
        load_backbone("tiny", "embedded")


@pytest.mark.parametrize("name", [WEIGHTS, "manifest.json"])
def test_a_missing_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(CheckpointError, match=r"cannot be checked .*FileNotFoundError"):
        load_backbone("tiny", "embedded")


def test_an_asset_that_the_manifest_lacks_is_refused(copied: Path) -> None:
    (copied / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"cannot be checked .*KeyError"):
        assets.verified_asset(WEIGHTS)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
