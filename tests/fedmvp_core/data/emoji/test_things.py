"""EmojiThings: each concept a class, each picture in one split."""

import json
from collections import Counter

import pytest

from fedmvp_core.data.emoji import assets
from fedmvp_core.data.emoji import things as emoji_things
from fedmvp_core.data.emoji.domains import STYLES
from fedmvp_core.data.image_set import Dataset, ImageSet


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return emoji_things._load(64)


def splits(dataset: Dataset) -> tuple[ImageSet, ImageSet, ImageSet]:
    return dataset.train, dataset.validation, dataset.test


def test_a_class_is_a_concept_that_pretraining_never_saw(dataset: Dataset) -> None:
    concepts = json.loads(assets.read_asset("emojidomains/concepts.json"))["concepts"]
    names = sorted(c["name"] for c in concepts if c["pool"] == "evaluation")
    assert list(dataset.class_names) == names
    assert len(names) == len(set(names)) == 340


@pytest.mark.parametrize(("split", "pictures"), [(0, 3), (1, 1), (2, 2)])
def test_every_class_has_as_many_pictures_in_a_split(
    dataset: Dataset, split: int, pictures: int
) -> None:
    images = splits(dataset)[split]
    assert Counter(images.labels.tolist()) == dict.fromkeys(range(340), pictures)
    # 340 concepts do not go round six styles evenly: one turn more or less.
    assert set(images.domains) == set(STYLES)
    assert all(abs(n - 340 * pictures / 6) <= 2 for n in images.domain_counts().values())


def test_no_picture_is_in_two_splits(dataset: Dataset) -> None:
    names = [name for images in splits(dataset) for name in images.names]
    assert len(names) == len(set(names)) == 340 * 6
    pixels = {image.numpy().tobytes() for images in splits(dataset) for image in images.images}
    # Some artists draw two concepts alike, so that a few pictures are each other's copy.
    assert len(pixels) >= 0.99 * 340 * 6


def test_attributes_are_the_tags_without_the_name(dataset: Dataset) -> None:
    assert set(dataset.attributes) == set(dataset.class_names)
    assert all(dataset.attributes.values())
    assert all(name not in phrases for name, phrases in dataset.attributes.items())
