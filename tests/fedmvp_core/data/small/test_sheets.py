"""The package's small data sets: what is in them, and that no picture is in two splits."""

import pytest
import torch
from run_configs import run_config

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.attributes.files import missing_classes
from fedmvp_core.data.catalogue import attribute_template, class_sentence
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.plugins import load_dataset

# Pictures of each class in train, validation and test; of digits a class has the rest for the test.
COUNTS = {
    "fashion-mnist": (10, (100, 20, 100)),
    "letters": (26, (30, 5, 15)),
    "kana": (46, (13, 4, 8)),
}
NAMES = (*COUNTS, "digits")


def loaded(name: str, image_size: int = 28) -> Dataset:
    config = run_config(dataset=name)
    return load_dataset(config.data, config.run, image_size)


@pytest.mark.parametrize("name", COUNTS)
def test_every_class_has_the_same_number_of_pictures(name: str) -> None:
    classes, counts = COUNTS[name]
    dataset = loaded(name)
    assert len(dataset.class_names) == classes
    splits = (dataset.train, dataset.validation, dataset.test)
    for split, count in zip(splits, counts, strict=True):
        assert split.class_counts() == dict.fromkeys(dataset.class_names, count)


def test_digits_are_all_of_scikit_learns() -> None:
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    dataset = loaded("digits", image_size=8)
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    found = {}
    for split in (dataset.train, dataset.validation, dataset.test):
        for image, label, name in zip(split.images, split.labels, split.names, strict=True):
            found[int(name.removeprefix("digits "))] = (image, dataset.class_names[label])
    assert sorted(found) == list(range(1797))
    for row, (image, name) in found.items():
        assert name == words[digits.target[row]]
        wanted = torch.from_numpy(255 - digits.images[row] * (255 / 16)).round().to(torch.uint8)
        assert torch.equal(image, wanted.expand(3, 8, 8))


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_is_in_two_splits(name: str) -> None:
    dataset = loaded(name)
    names = [n for s in (dataset.train, dataset.validation, dataset.test) for n in s.names]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["letters", "kana"])
def test_a_typeface_is_in_one_split_and_every_style_in_all(name: str) -> None:
    dataset = loaded(name)
    seen: set[str] = set()
    for split in (dataset.train, dataset.validation, dataset.test):
        faces = {picture.partition("(")[2] for picture in split.names}
        assert not faces & seen
        seen |= faces
        assert set(split.domains) == set(dataset.domains)


@pytest.mark.parametrize("name", NAMES)
def test_phrases_of_every_class_are_shipped(name: str) -> None:
    config, dataset = run_config(dataset=name), loaded(name)
    attributes = attributes_of(config.data, dataset)
    assert attributes is not None
    assert set(attributes) == set(dataset.class_names)
    assert not missing_classes(attributes, dataset.class_names)
    assert all(len(phrases) >= 5 for phrases in attributes.values())


def test_sentences_say_what_is_shown() -> None:
    assert class_sentence(run_config(dataset="letters").data, "k") == "a picture of the letter k."
    assert (
        class_sentence(run_config(dataset="digits").data, "two") == "a picture of the number two."
    )
    fashion = run_config(dataset="fashion-mnist").data
    assert class_sentence(fashion, "bag") == "a picture of a bag."
    assert attribute_template(fashion) == "a picture of a {class}, with {attribute}."
