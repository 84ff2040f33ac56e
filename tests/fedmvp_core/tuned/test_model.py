"""What a loaded model takes, gives and refuses."""

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import fedmvp
from fedmvp_core.backbone import load_backbone
from fedmvp_core.errors import CheckpointError, ConfigError, DataError
from fedmvp_core.tuned import MODEL_FILE, TunedCLIP


@pytest.fixture(scope="module")
def model(exported: Path) -> TunedCLIP:
    return fedmvp.load(exported, device="cpu")


def test_pictures_paths_and_pixels_are_the_same(model: TunedCLIP, tmp_path: Path) -> None:
    picture = Image.effect_noise((90, 70), 80).convert("RGB")
    picture.save(tmp_path / "a.png")
    of_path = model.logits(tmp_path / "a.png")
    assert of_path.shape == (1, 3)
    assert torch.equal(of_path, model.logits([picture]))
    assert torch.equal(of_path, model.logits(str(tmp_path / "a.png")))
    pixels = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.logits(pixels)[1:], model.logits(pixels[1:]))
    assert model.encode_image(torch.rand(2, 3, 80, 100)).shape == (2, model.backbone.embed_dim)
    features = model.encode_image(pixels)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(2))


def test_classify_names_the_likeliest_class(model: TunedCLIP) -> None:
    images = torch.rand(4, 3, 64, 64)
    table = model.probabilities(images, ["lorry", "ant"])
    torch.testing.assert_close(table.sum(dim=-1), torch.ones(4))
    found = model.classify(images, ["lorry", "ant"])
    assert [value for _, value in found] == table.max(dim=-1).values.tolist()
    assert {name for name, _ in found} <= {"lorry", "ant"}
    assert {name for name, _ in model.classify(images)} <= {"ant", "bee", "cow"}
    assert model.class_names == ("ant", "bee", "cow")
    assert set(model.known_classes) == {"ant", "bee", "cow", "dog", "eel", "fox"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "an empty list"),
        (["cat", "dog", "cat"], "'cat' more than once"),
        (["cat", " "], "not blank"),
        (["cat", 3], "hold 3"),
        ("cat", "allowed: a list of names"),
    ],
)
def test_class_names_that_say_nothing_are_refused(model, names, sentence) -> None:
    for ask in (model.logits, model.classify, model.probabilities, model.encode_image):
        with pytest.raises(ConfigError, match=sentence):
            ask(torch.rand(1, 3, 64, 64), names)
    with pytest.raises(ConfigError, match=sentence):
        model.encode_classes(names)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ([], "an empty list"),
        ([3], "hold a int"),
        (torch.rand(3, 64, 64), r"shape \(3, 64, 64\)"),
        (torch.rand(0, 3, 64, 64), "n above 0"),
        (torch.rand(1, 1, 64, 64), r"shape \(1, 1, 64, 64\)"),
        (torch.rand(1, 3, 64, 64) * 255, "allowed: floats in"),
        (torch.rand(1, 3, 64, 64) - 0.5, "allowed: floats in"),
        (torch.full((1, 3, 64, 64), float("nan")), "allowed: floats in"),
        (torch.ones(1, 3, 64, 64, dtype=torch.int64), "are torch.int64"),
        ("absent.png", "does not exist"),
    ],
)
def test_images_that_are_none_are_refused(model: TunedCLIP, images, sentence) -> None:
    with pytest.raises(DataError, match=sentence):
        model.classify(images)


def test_other_ways_to_give_the_backbone(model: TunedCLIP, exported: Path) -> None:
    images = torch.rand(2, 3, 64, 64)
    clip = open_clip.CLIP(**model.backbone.config.architecture)
    clip.load_state_dict(model.backbone.clip.state_dict())
    for given in (load_backbone("tiny"), clip, ("tiny", ""), "tiny"):
        other = fedmvp.load(exported, backbone=given, device="cpu")
        assert torch.equal(other.logits(images), model.logits(images))


def test_another_backbone_is_refused_with_both_hashes(model: TunedCLIP, exported: Path) -> None:
    other = load_backbone("tiny", "embedded")
    clip = open_clip.CLIP(**model.backbone.config.architecture)  # other weights
    for given in (other, ("tiny", "embedded"), clip):
        with pytest.raises(CheckpointError) as refused:
            fedmvp.load(exported, backbone=given, device="cpu")
        assert model.backbone.weights_hash in str(refused.value)
    with pytest.raises(CheckpointError, match=other.weights_hash):
        fedmvp.load(exported, backbone=other, device="cpu")
    with pytest.raises(ConfigError, match="backbone is a Linear"):
        fedmvp.load(exported, backbone=torch.nn.Linear(1, 1), device="cpu")
    with pytest.raises(ConfigError, match="device is 'gpu'"):
        fedmvp.load(exported, device="gpu")


def header_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


def rewritten(exported: Path, folder: Path, **changes: object) -> Path:
    """A copy of an export with some of its header changed; None takes a name away."""
    shutil.copytree(exported, folder)
    path = folder / MODEL_FILE
    header = header_of(path)
    for name, value in changes.items():
        header.pop(name.replace("_version", "-version"), None)
        if value is not None:
            header[name.replace("_version", "-version")] = json.dumps(value)
    save_file(load_file(exported / MODEL_FILE), path, metadata=header)
    return folder


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": None}, "is no fedmvp export"),
        ({"format_version": 2}, "is of format 2, this fedmvp reads format 1"),
        ({"known": None}, "is damaged: its header lacks or bends 'known'"),
        ({"known": {"class_names": 3}}, "is damaged"),
        ({"words": {"names": "ant"}}, "is damaged"),
        ({"backbone": []}, "is damaged"),
    ],
)
def test_a_bent_header_is_refused(exported: Path, tmp_path: Path, changes, sentence) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        fedmvp.load(rewritten(exported, tmp_path / "bent", **changes))


def test_unknown_methods_and_others_tensors_are_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="method is 'nosuch'"):
        fedmvp.load(rewritten(exported, tmp_path / "a", method="nosuch"))
    options = {"method": "fedclip", "method_options": ""}
    with pytest.raises(CheckpointError, match="method 'fedclip' has"):
        fedmvp.load(rewritten(exported, tmp_path / "b", **options))
    shorter = "context-length=4 class-specific=false"
    with pytest.raises(CheckpointError, match="does not fit method 'promptfl'"):
        fedmvp.load(rewritten(exported, tmp_path / "c", method_options=shorter))


def test_every_damaged_byte_is_noticed(exported: Path, tmp_path: Path) -> None:
    data = (exported / MODEL_FILE).read_bytes()
    bent = bytearray(data)
    bent[-5] ^= 1
    cases = {"bent": bytes(bent), "short": data[:-9], "half": data[: len(data) // 2], "empty": b""}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=r"is damaged|cannot be read as a tuned model"):
            fedmvp.load(tmp_path / name)


def test_a_place_without_an_export_is_refused(exports, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"holds no {MODEL_FILE}; write one with"):
        fedmvp.load(tmp_path)
    run = exports["promptfl"][0]
    with pytest.raises(CheckpointError, match=f"write one with: fedmvp export {run}"):
        fedmvp.load(run)
    with pytest.raises(CheckpointError, match="no file, no folder and no hub id"):
        fedmvp.load("no such/thing/here")
