"""Fashion-MNIST from IDX files, in the layouts of Zalando, torchvision and Debian."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from run_configs import run_config

from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.plugins import load_dataset
from fedmvp_core.data.small.fashion_mnist import FOLDERS, PUBLISHED
from fedmvp_core.errors import DataError

SIDE = 28


def idx(magic: int, array: np.ndarray) -> bytes:
    header = magic.to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(folder: Path, zipped: bool, train: int = 240, test: int = 30) -> dict[str, np.ndarray]:
    """A tree in the true format: train-images-idx3-ubyte and so on, drawn by a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("t10k", test)):
        arrays[f"{part}-images-idx3-ubyte"] = draw.integers(0, 256, (count, SIDE, SIDE))
        arrays[f"{part}-labels-idx1-ubyte"] = np.arange(count) % 10
    for name, array in arrays.items():
        data = idx(0x0803 if array.ndim == 3 else 0x0801, array)
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return arrays


def loaded(root: Path) -> Dataset:
    config = run_config(**{"dataset": "fashion-mnist", "data-dir": str(root)})
    return load_dataset(config.data, config.run, SIDE)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("below", FOLDERS)
def test_a_folder_of_idx_files_is_read_whole(tmp_path: Path, below: str, zipped: bool) -> None:
    arrays = write(tmp_path / below, zipped)
    dataset = loaded(tmp_path)
    assert set(dataset.class_names) == set(PUBLISHED)
    assert dataset.train.class_counts() == dict.fromkeys(dataset.class_names, 22)
    assert dataset.validation.class_counts() == dict.fromkeys(dataset.class_names, 2)
    assert len(dataset.test) == 30
    for row in (0, 7, 29):
        picture = torch.from_numpy(arrays["t10k-images-idx3-ubyte"][row]).to(torch.uint8)
        assert torch.equal(dataset.test.images[row], picture.expand(3, SIDE, SIDE))
        label = int(dataset.test.labels[row])
        assert dataset.class_names[label] == PUBLISHED[row % 10]
    # The first eleven twelfths of each class train, what follows is for validation.
    assert torch.equal(
        dataset.train.images[0, 0],
        torch.from_numpy(arrays["train-images-idx3-ubyte"][0]).to(torch.uint8),
    )


def test_an_empty_data_dir_is_the_package_s_subset() -> None:
    config = run_config(dataset="fashion-mnist")
    assert len(load_dataset(config.data, config.run, SIDE).train) == 1000


def broken(root: Path, name: str, data: bytes, message: str) -> None:
    write(root, zipped=False, train=20)
    (root / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        loaded(root)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    whole = idx(0x0803, np.zeros((20, SIDE, SIDE)))
    name = "train-images-idx3-ubyte"
    broken(tmp_path, name, whole[:-1], f"{name}' has 15695 bytes; its header says 15696, for 20 x")
    broken(tmp_path, name, whole + b"x", "it was cut short or damaged")
    broken(tmp_path, name, b"", f"{name}' holds neither pictures nor labels")
    broken(tmp_path, name, whole[:7], "cut short or damaged")
    broken(tmp_path, name, gzip.compress(whole)[:-9], f"{name}' cannot be read")


def test_swapped_files_are_named(tmp_path: Path) -> None:
    labels, images = idx(0x0801, np.zeros(20)), idx(0x0803, np.zeros((20, SIDE, SIDE)))
    broken(tmp_path, "train-images-idx3-ubyte", labels, "holds labels; allowed here: pictures")
    broken(tmp_path, "t10k-labels-idx1-ubyte", images, "holds pictures; allowed here: labels")


def test_other_numbers_and_labels_are_refused(tmp_path: Path) -> None:
    name = "train-labels-idx1-ubyte"
    broken(
        tmp_path, name, idx(0x0801, np.zeros(19)), "20 pictures but 19 labels in its train files"
    )
    many = idx(0x0801, np.full(20, 26))
    broken(tmp_path, name, many, "has the label 26 in its train files; allowed: 0 to 9")


def test_a_folder_without_the_files_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no train-images-idx3-ubyte, plain or \.gz"):
        loaded(tmp_path)
    write(tmp_path, zipped=False, train=20)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.* cannot be read"):
        loaded(tmp_path)
