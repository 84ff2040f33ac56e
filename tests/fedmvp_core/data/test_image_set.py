"""Selecting images without losing what belongs to them."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.data.image_set import Dataset, ImageSet, JoinedPictures
from fedmvp_core.data.pixels.files import PictureFiles


@pytest.fixture
def images() -> ImageSet:
    """Image i is filled with i."""
    return ImageSet(
        images=torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 2, 2),
        labels=torch.tensor([2, 0, 1, 2, 0, 0]),
        domains=("b", "a", "b", "a", "b", "a"),
        names=("n0", "n1", "n2", "n3", "n4", "n5"),
        class_names=("x", "y", "z", "unused"),
    )


def check(images: ImageSet, positions: list[int], labels: list[int] | list[list[int]]) -> None:
    assert images.images[:, 0, 0, 0].tolist() == positions
    assert images.names == tuple(f"n{i}" for i in positions)
    assert images.domains == tuple("bababa"[i] for i in positions)
    assert images.labels.tolist() == labels
    assert images.labels.dtype == torch.int64
    assert len(images) == len(positions)


def test_select(images: ImageSet) -> None:
    check(images.select(torch.tensor([4, 0])), [4, 0], [0, 2])
    check(images.select(torch.tensor([], dtype=torch.int64)), [], [])


def test_of_classes_relabels_to_the_order_given(images: ImageSet) -> None:
    chosen = images.of_classes(["z", "x"])
    check(chosen, [0, 1, 3, 4, 5], [0, 1, 0, 1, 1])
    assert chosen.class_names == ("z", "x")
    check(images.of_classes(["unused"]), [], [])


def test_of_domains(images: ImageSet) -> None:
    check(images.of_domains(["a"]), [1, 3, 5], [0, 2, 0])
    check(images.of_domains([]), [], [])


def test_counts(images: ImageSet) -> None:
    assert images.present_classes() == ("x", "y", "z")
    assert images.class_counts() == {"x": 3, "y": 1, "z": 2}
    assert list(images.domain_counts().items()) == [("a", 3), ("b", 3)]


@pytest.fixture
def scenes(images: ImageSet) -> ImageSet:
    """Image i shows the classes of the bits of i; whether image 5 shows y is unknown."""
    labels = torch.tensor([[i >> bit & 1 for bit in range(4)] for i in range(6)])
    labels[5, 1] = -1
    return ImageSet(images.images, labels, images.domains, images.names, images.class_names)


def test_multi_label_sets_select_rows_of_labels(images: ImageSet, scenes: ImageSet) -> None:
    assert scenes.multi_label
    assert not images.multi_label
    chosen = scenes.of_domains(["a"])
    check(chosen, [1, 3, 5], [[1, 0, 0, 0], [1, 1, 0, 0], [1, -1, 1, 0]])
    assert len(scenes.select(torch.tensor([], dtype=torch.int64))) == 0


def test_of_classes_keeps_every_image_of_a_multi_label_set(scenes: ImageSet) -> None:
    chosen = scenes.of_classes(["z", "y"])
    assert chosen.class_names == ("z", "y")
    check(chosen, [0, 1, 2, 3, 4, 5], [[0, 0], [0, 0], [0, 1], [0, 1], [1, 0], [1, -1]])
    assert scenes.of_classes(()).labels.shape == (6, 0)


def test_counts_of_a_multi_label_set_are_of_labels_known_to_be_there(scenes: ImageSet) -> None:
    assert scenes.class_counts() == {"x": 3, "y": 2, "z": 2}
    assert scenes.present_classes() == ("x", "y", "z")
    assert scenes.of_classes(["z", "unused"]).present_classes() == ("z",)


def test_a_data_set_takes_classes_and_domains_from_its_training_images(images: ImageSet) -> None:
    dataset = Dataset("pictures", images, images, images)
    assert dataset.class_names == images.class_names
    assert dataset.domains == ("a", "b")


@given(positions=st.lists(st.integers(0, 6), max_size=9))
def test_pictures_of_several_sources_are_those_of_one_row(positions: list[int]) -> None:
    """Whatever is selected, twice over: the same as of one tensor."""
    row = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1).expand(7, 3, 2, 2)
    joined = JoinedPictures((row[:3], row[3:3], JoinedPictures((row[3:4], row[4:]))))
    assert len(joined) == 7
    indices = torch.tensor(positions, dtype=torch.int64)
    images, expected = (
        ImageSet(pictures, torch.arange(7), ("",) * 7, tuple("abcdefg"), ("x",)).select(indices)
        for pictures in (joined, row)
    )
    back = torch.arange(len(positions)).flip(0)
    assert images.images.equal(expected.images)
    assert images.select(back).images.equal(expected.images[back])
    assert images.select(back[:0]).image_size == images.image_size == 2


def test_pictures_of_one_source_stay_that_sources() -> None:
    """So that files are decoded into the same cache as in a run on their data set alone."""
    files = PictureFiles((Path("a.png"), Path("b.png")), image_size=2, folder=None)
    joined = JoinedPictures((torch.zeros(3, 3, 2, 2, dtype=torch.uint8), files))
    chosen = joined.select(torch.tensor([4]))
    assert isinstance(chosen, PictureFiles)
    assert chosen.paths == (Path("b.png"),)
