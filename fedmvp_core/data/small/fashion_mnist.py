"""Fashion-MNIST: Zalando's product photographs (Xiao, Rasul, Vollgraf, 2017; MIT).

With an empty `data-dir` the package's 2,200 pictures: the first 100 of each class for training, the
next 20 for validation, the first 100 of the official test set. With a folder, all 70,000 from the
IDX files, as Zalando, torchvision (FashionMNIST/raw) or Debian (dataset-fashion-mnist) have them;
the last twelfth of each class's training pictures, 500 of 6,000, is for validation.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.small.idx import read_images, read_labels
from fedmvp_core.data.small.sheets import load_sheet, to_size
from fedmvp_core.errors import DataError

NAME = "fashion-mnist"
# In the order of the published labels.
PUBLISHED = (
    *("T-shirt or top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
VALIDATION = 12  # one training picture in so many is for validation, from the end of its class
FOLDERS = (".", "FashionMNIST/raw", "fashion-mnist", "raw")  # below data-dir


def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
    """The package's pictures, or those in `data-dir`; raises DataError if they cannot be read."""
    if not data.data_dir:
        return load_sheet(NAME, image_size)
    folder = _folder(Path(data.data_dir).expanduser())
    images, labels = _read(folder, "train")
    held = np.zeros(len(labels), dtype=bool)
    for label in range(len(PUBLISHED)):
        rows = np.nonzero(labels == label)[0]
        held[rows[len(rows) - len(rows) // VALIDATION :]] = True
    test_images, test_labels = _read(folder, "t10k")
    return Dataset(
        NAME,
        _image_set(images[~held], labels[~held], "train", image_size),
        _image_set(images[held], labels[held], "validation", image_size),
        _image_set(test_images, test_labels, "test", image_size),
    )


def _folder(root: Path) -> Path:
    for folder in FOLDERS:
        if any((root / folder).glob("train-images-idx3-ubyte*")):
            return root / folder
    raise DataError(
        f"data-dir '{root}' holds no train-images-idx3-ubyte, plain or .gz, also not in "
        f"{', '.join(FOLDERS[1:])}; {NAME} is read from these files"
    )


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images = read_images(_file(folder, f"{part}-images-idx3-ubyte"))
    labels = read_labels(_file(folder, f"{part}-labels-idx1-ubyte"))
    if len(images) != len(labels):
        raise DataError(
            f"'{folder}' has {len(images)} pictures but {len(labels)} labels in its {part} files"
        )
    if len(labels) and labels.max() >= len(PUBLISHED):
        raise DataError(
            f"'{folder}' has the label {labels.max()} in its {part} files; allowed: 0 to 9"
        )
    return images, labels


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _image_set(images: np.ndarray, labels: np.ndarray, split: str, image_size: int) -> ImageSet:
    class_names = tuple(sorted(PUBLISHED))
    row_of: Tensor = torch.tensor([class_names.index(name) for name in PUBLISHED])
    return ImageSet(
        images=to_size(images, image_size),
        labels=row_of[torch.from_numpy(labels.astype(np.int64))],
        domains=("",) * len(labels),
        names=tuple(f"{split} {row}" for row in range(len(labels))),
        class_names=class_names,
    )
