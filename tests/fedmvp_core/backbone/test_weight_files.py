"""Files of weights are known by their bytes; what is none is called by what it is."""

import argparse
import gzip
import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.backbone.weight_files import read_weight_file
from fedmvp_core.errors import CheckpointError

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Weights of the tiny architecture that no seed gives."""
    weights = load_backbone("tiny").clip.state_dict()
    return {name: (1.25 * value).half().float() for name, value in weights.items()}


def same(backbone: Backbone, state: State) -> bool:
    loaded = backbone.clip.state_dict()
    return all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("name", ["clip.SAFETENSORS", "clip.pt", "pytorch_model.bin", "clip"])
def test_safetensors_under_any_name(name: str, state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / name)
    assert same(load_backbone("tiny", tmp_path / name), state)


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.PT", "clip.ckpt", "clip"])
def test_pickles_under_any_name(name: str, state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / name)
    assert same(load_backbone("tiny", tmp_path / name), state)


def training_checkpoint(state: State) -> dict[str, Any]:
    """As open_clip's training leaves it, and programs like it."""
    return {
        "epoch": 32,
        "name": "2024_01_01-model_ViT-B-32-lr_0.001",
        "state_dict": {f"module.{name}": value for name, value in state.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": np.float64(1e-3)}]},
        "scaler": {"scale": 65536.0},
        "args": argparse.Namespace(model="ViT-B-32", lr=1e-3, betas=[0.9, 0.98]),
        "best": np.float32(0.5),
        "history": np.arange(3.0),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint_is_read(zipped: bool, state: State, tmp_path: Path) -> None:
    path = tmp_path / "epoch_32.pt"
    torch.save(training_checkpoint(state), path, _use_new_zipfile_serialization=zipped)
    backbone = load_backbone("tiny", path)
    assert same(backbone, state)
    assert backbone.notes == (f"'module.' was taken off the names of the tensors of {path}",)


@pytest.mark.parametrize("entry", ["model", "model_state_dict", "state_dict"])
def test_the_usual_entries_hold_the_weights(entry: str, state: State, tmp_path: Path) -> None:
    torch.save({entry: state, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "clip.pt")
    assert same(load_backbone("tiny", tmp_path / "clip.pt"), state)


def test_a_second_set_of_weights_is_noted(state: State, tmp_path: Path) -> None:
    path = tmp_path / "clip.pt"
    torch.save({"state_dict_ema": {}, "model": {"state_dict": state}}, path)
    backbone = load_backbone("tiny", path)
    assert same(backbone, state)
    assert backbone.notes == (
        f"of {path} the entry 'model' is used; it also holds 'state_dict_ema'",
    )


class Evil:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/never",)


class Config:
    """What a program keeps of its own."""


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_are_named_and_never_remade(zipped: bool, state: State, tmp_path: Path) -> None:
    path = tmp_path / "clip.pt"
    content = {"state_dict": state, "config": Config()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    message = r"Python object, '.*\.Config', .* run code .*torch\.save\(model\.state_dict\(\)"
    with pytest.raises(CheckpointError, match=message):
        load_backbone("tiny", path)
    torch.save({"state_dict": state, "x": Evil()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"Python object, '(os|posix)\.system'"):
        load_backbone("tiny", path)


def test_a_whole_pickled_model_says_how_to_convert_it(tmp_path: Path) -> None:
    torch.save(load_backbone("tiny").clip, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"'open_clip\.model\.CLIP'.*state_dict"):
        load_backbone("tiny", tmp_path / "clip.pt")


def test_an_array_where_a_tensor_should_be_is_named(state: State, tmp_path: Path) -> None:
    torch.save({**state, "visual.proj": np.zeros(3)}, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"'visual\.proj' is a numpy\..*_reconstruct"):
        load_backbone("tiny", tmp_path / "clip.pt")


def lfs_pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab12\nsize 605143316\n")


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as file:
        entry = tarfile.TarInfo("clip.pt")
        entry.size = 1000
        file.addfile(entry, io.BytesIO(bytes(1000)))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights/clip.pt", b"x" * 100)
        file.writestr("readme.txt", b"hello")


def numpy_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def shard_index(path: Path) -> None:
    content = {"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}
    path.write_text(json.dumps(content))


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (Path.touch, "it is empty"),
    "LFS pointer": (lfs_pointer, "Git LFS pointer to a file of 605,143,316 bytes.*git lfs pull"),
    "page": (lambda p: p.write_text("\n<!DOCTYPE html><html>"), "web page.*download the file"),
    "page in capitals": (lambda p: p.write_text("<HTML><BODY>Sign in"), "web page"),
    "XML": (lambda p: p.write_text('<?xml version="1.0"?><Error>Denied</Error>'), "web page"),
    "answer": (lambda p: p.write_text("Entry not found"), "a text, 'Entry not found': download"),
    "config": (lambda p: p.write_text('{"model_type": "clip"}'), "a JSON text, such as a config"),
    "index": (shard_index, r"index of weights that lie in 2 files \(m-1\.safetensors, m-2"),
    "gzip": (lambda p: p.write_bytes(gzip.compress(bytes(999))), "gzip archive: unpack it"),
    "tar": (tarred, "a tar archive: unpack it"),
    "zip": (zipped, r"a zip archive of weights/clip\.pt, readme\.txt: unpack it"),
    "npz": (numpy_archive, "an archive of NumPy arrays"),
    "npy": (lambda p: p.write_bytes(b"\x93NUMPY" + bytes(99)), "a NumPy array: take the PyTorch"),
    "HDF5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "HDF5 file, as Keras"),
    "7z": (lambda p: p.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(99)), "a 7z archive: unpack it"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
def test_what_is_no_file_of_weights_is_called_what_it_is(
    kind: str, name: str, tmp_path: Path
) -> None:
    write, message = WRONG[kind]
    write(tmp_path / name)
    with pytest.raises(CheckpointError, match=f"{tmp_path / name} cannot be read: .*{message}"):
        load_backbone("tiny", tmp_path / name)
    with pytest.raises(CheckpointError, match=message):  # as an image tower too
        load_backbone("tiny", f"embedded+{tmp_path / name}")


def test_a_folder_says_which_weights_it_holds(state: State, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no file; the folder holds no weights"):
        load_backbone("tiny", tmp_path)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"the folder holds model\.safetensors"):
        load_backbone("tiny", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_not_called_damaged(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "clip.safetensors")
    (tmp_path / "clip.safetensors").chmod(0)
    with pytest.raises(CheckpointError, match=r"cannot be read: Permission denied\.$"):
        load_backbone("tiny", tmp_path / "clip.safetensors")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_no_numbers_are_refused_by_name(
    wrong: float, dtype: torch.dtype, state: State, tmp_path: Path
) -> None:
    content = {name: value.to(dtype, copy=True) for name, value in state.items()}
    content["visual.proj"].view(-1)[[3, 5]] = wrong
    save_file(content, tmp_path / "clip.safetensors")
    with pytest.raises(CheckpointError, match=r"tensor 'visual\.proj' holds 2 of 16,384 numbers"):
        load_backbone("tiny", tmp_path / "clip.safetensors")


def test_a_tower_with_nan_is_refused(state: State, tmp_path: Path) -> None:
    tower = {name: value.clone() for name, value in state.items() if name.startswith("visual.")}
    tower["visual.ln_post.bias"][0] = float("nan")
    save_file(tower, tmp_path / "tower.safetensors")
    with pytest.raises(CheckpointError, match=r"'visual\.ln_post\.bias' holds 1 of 128 numbers"):
        load_backbone("tiny", f"embedded+{tmp_path / 'tower.safetensors'}")


def test_quantised_weights_are_refused(state: State, tmp_path: Path) -> None:
    save_file({**state, "visual.proj": state["visual.proj"].to(torch.int8)}, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=r"'visual\.proj' is torch\.int8, weights are floats"):
        load_backbone("tiny", tmp_path / "clip.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual.conv1.weight": (128, 3, 16, 16)}, r"patches of 16 pixels, not 8"),
        ({"visual.positional_embedding": (145, 128)}, r"pictures of 96 pixels, not 64\)"),
        (
            {"positional_embedding": (77, 128)},
            r"\(it was made with a context of 77 tokens, not 32\)",
        ),
        ({"token_embedding.weight": (49408, 128)}, "a vocabulary of 49408 words, not 4610"),
    ],
)
def test_other_measures_are_said_in_words(
    change: dict[str, tuple[int, ...]], message: str, state: State, tmp_path: Path
) -> None:
    other = {name: torch.zeros(shape) for name, shape in change.items()}
    torch.save({**state, **other}, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=f"'{next(iter(change))}' has shape .*{message}"):
        load_backbone("tiny", tmp_path / "clip.pt")


def test_a_cut_training_checkpoint_is_still_called_damaged(state: State, tmp_path: Path) -> None:
    torch.save(training_checkpoint(state), tmp_path / "whole.pt")
    shutil.copy(tmp_path / "whole.pt", tmp_path / "cut.pt")
    os.truncate(tmp_path / "cut.pt", 100_000)
    with pytest.raises(CheckpointError, match="it may be cut short or damaged"):
        load_backbone("tiny", tmp_path / "cut.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b"K\x04tQ", b"K\x64tQ"),  # of 4 numbers are made 100, which no member holds
        (b"K\x02K\x02t", b"K\x02K\x64t"),  # of a shape (2, 2), (2, 100)
        (b"(K\x02K\x01t", b"(K\x63K\x01t"),  # of strides (2, 1), (99, 1)
        (b"Qq\x07K\x00", b"Qq\x07K\x09"),  # another beginning
    ],
)
def test_a_damaged_archive_is_not_read_past_its_numbers(
    sound: bytes, damaged: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "clip.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert set(read_weight_file(path)[0]) == {"weight", "bias"}
    pickled = next(name for name in members if name.endswith("/data.pkl"))
    assert sound in members[pickled]
    members[pickled] = members[pickled].replace(sound, damaged, 1)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(CheckpointError, match=r"clip.pt cannot be read, it may be cut short or"):
        read_weight_file(path)
