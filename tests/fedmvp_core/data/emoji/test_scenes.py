"""Composed scenes: what is on them, from which pools, and that a seed fixes them."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from run_configs import run_config

from fedmvp_core.config import RunConfig
from fedmvp_core.data.emoji import domains as emojidomains
from fedmvp_core.data.emoji import scenes as emojiscenes
from fedmvp_core.data.image_set import Dataset, ImageSet

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return run_config(seed=5)


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    return emojiscenes.single_things()


@pytest.fixture(scope="module")
def dataset(config: RunConfig) -> Dataset:
    return emojiscenes.load(config.data, config.run, 64)


def few(pictures: Dataset, n: int = 30, seed: int = 3, size: int = 64) -> ImageSet:
    return emojiscenes.scenes(pictures.train, "train", n, seed, size)


def pictures_of(scenes: ImageSet) -> set[tuple[str, str]]:
    """(thing, style) of all that is on a canvas."""
    rows = zip(scenes.names, scenes.domains, strict=True)
    return {(thing, style) for name, style in rows for thing in names_on(name)}


def names_on(name: str) -> list[str]:
    return name.rsplit(" (", 1)[0].split(", ")


def test_counts(dataset: Dataset, pictures: Dataset) -> None:
    assert dataset.class_names == pictures.class_names
    assert dataset.attributes == pictures.attributes
    assert dataset.domains == emojidomains.STYLES
    for split, n in (("train", 1200), ("validation", 300), ("test", 600)):
        scenes = getattr(dataset, split)
        assert scenes.images.shape == (n, 3, 64, 64)
        assert scenes.images.dtype == torch.uint8
        assert scenes.labels.shape == (n, 72)
        assert scenes.labels.dtype == torch.int64
        assert len(scenes.names) == len(scenes.domains) == n


def test_two_things_of_each_class(pictures: Dataset) -> None:
    concepts = emojidomains.concept_table()["concepts"]
    class_of = {c["name"]: c["class"] for c in concepts if c["pool"] == "evaluation"}
    found = Counter(class_of[name] for name in pictures.class_names)
    assert found == dict.fromkeys(emojidomains.concept_table()["benchmark"], 2)
    assert list(pictures.class_names) == sorted(pictures.class_names)


def test_one_to_four_labels_and_every_thing_often(dataset: Dataset) -> None:
    for split in SPLITS:
        labels = getattr(dataset, split).labels
        assert set(labels.unique().tolist()) == {0, 1}
        assert set(labels.sum(dim=1).tolist()) == {1, 2, 3, 4}
        share = labels.double().mean(dim=0)
        # 2.5 of 72 things on average
        assert float(share.min()) > 0.005
        assert float(share.max()) < 0.07


def test_labels_are_what_is_named(dataset: Dataset, pictures: Dataset) -> None:
    for split in SPLITS:
        scenes, single = getattr(dataset, split), getattr(pictures, split)
        label_of = dict(zip(single.names, single.labels.tolist(), strict=True))
        for name, style, labels in zip(scenes.names, scenes.domains, scenes.labels, strict=True):
            expected = {label_of[f"{concept} ({style})"] for concept in names_on(name)}
            assert expected == set(labels.nonzero().flatten().tolist())


def test_splits_share_no_picture(dataset: Dataset) -> None:
    train, validation, test = (pictures_of(getattr(dataset, split)) for split in SPLITS)
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_a_scene_has_a_theme(dataset: Dataset) -> None:
    """Two labels of one scene are of one theme more often than two drawn at random."""
    themes = emojiscenes._themes(dataset.class_names)
    assert len(set(themes)) == 5
    same, pairs = 0, 0
    for labels in dataset.train.labels:
        present = labels.nonzero().flatten().tolist()
        for i in present[1:]:
            same += themes[i] == themes[present[0]]
            pairs += 1
    by_chance = sum((themes.count(theme) / 72) ** 2 for theme in set(themes))
    assert same / pairs > 2 * by_chance


def test_a_seed_fixes_the_scenes(pictures: Dataset) -> None:
    first, again, other = few(pictures), few(pictures), few(pictures, seed=4)
    assert torch.equal(first.images, again.images)
    assert first.names == again.names
    assert not torch.equal(first.images, other.images)


def test_fewer_scenes_are_the_first_of_more(pictures: Dataset) -> None:
    all_of_them, some = few(pictures, 30), few(pictures, 11)
    assert torch.equal(all_of_them.images[:11], some.images)
    assert torch.equal(all_of_them.labels[:11], some.labels)


def test_splits_are_drawn_apart(pictures: Dataset) -> None:
    """The same pictures under another split's name are other scenes."""
    other = emojiscenes.scenes(pictures.train, "test", 30, 3, 64)
    assert other.names != few(pictures).names


def test_another_size_is_the_same_scene(pictures: Dataset) -> None:
    small, large = few(pictures), few(pictures, size=128)
    assert large.images.shape[1:] == (3, 128, 128)
    assert small.names == large.names
    assert torch.equal(small.labels, large.labels)
    halved = torch.nn.functional.avg_pool2d(large.images.float(), 2)
    assert float((halved - small.images.float()).abs().mean()) < 10


def test_emoji_hardly_overlap_and_stay_on_the_canvas(pictures: Dataset) -> None:
    for scene in emojiscenes._compose(pictures.train, 200, np.random.default_rng(0)):
        for i, (left, upper, width, height) in enumerate(scene.boxes):
            assert left >= 0
            assert upper >= 0
            assert left + width <= 1
            assert upper + height <= 1
            assert max(width, height) >= 0.2, "too small to be seen"
            for other in scene.boxes[:i]:
                assert emojiscenes.overlap(scene.boxes[i], other) <= emojiscenes.MOST_OVERLAP


def test_overlap() -> None:
    box = (0.0, 0.0, 0.5, 0.5)
    assert emojiscenes.overlap(box, (0.5, 0.0, 0.5, 0.5)) == 0
    assert emojiscenes.overlap(box, (0.25, 0.25, 0.5, 0.5)) == pytest.approx(0.25)
    assert emojiscenes.overlap(box, (0.1, 0.1, 0.2, 0.1)) == pytest.approx(1)


def test_nothing_is_drawn_outside_the_boxes(pictures: Dataset) -> None:
    for scene in emojiscenes._compose(pictures.train, 20, np.random.default_rng(1)):
        canvas = emojiscenes._render(scene, 64)
        assert min(scene.background) >= emojiscenes.DARKEST_BACKGROUND
        free = np.ones((64, 64), dtype=bool)
        for left, upper, width, height in scene.boxes:
            x, y = int(64 * left), int(64 * upper)
            inside = canvas[y : y + int(64 * height) + 1, x : x + int(64 * width) + 1]
            assert inside.min() < 200, "an emoji that cannot be seen"
            free[
                max(y - 1, 0) : y + int(64 * height) + 3, max(x - 1, 0) : x + int(64 * width) + 3
            ] = 0
        assert (canvas[free] == scene.background).all()


def test_a_config_is_drawn_once(default_config: Callable[..., RunConfig]) -> None:
    one, same = default_config(seed=5), default_config(seed=5)
    small = dict.fromkeys(SPLITS, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emojiscenes, "SCENES", small)
        emojiscenes._load.cache_clear()
        assert emojiscenes.load(one.data, one.run, 32) is emojiscenes.load(same.data, same.run, 32)
    emojiscenes._load.cache_clear()
