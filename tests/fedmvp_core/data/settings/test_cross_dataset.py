"""Train on one data set, test on others: EmojiDomains' groups, and folders of pictures."""

from collections.abc import Callable
from typing import Any

import pytest
from configured import dataset_of, setting_of

from fedmvp_core.config import RunConfig
from fedmvp_core.data.emoji import domains as emojidomains
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings import load_setting
from fedmvp_core.errors import ConfigError

Make = Callable[..., RunConfig]
GROUPS = ("activities", "animals-nature", "food-drink", "objects", "travel-places")
SIZE = 8


def group(config: RunConfig, name: str) -> Dataset:
    return dataset_of(config.with_values(dataset=f"emoji-{name}"), SIZE)


def cross(make: Make, targets: str, **overrides: Any) -> RunConfig:
    chosen = {"dataset": "emoji-food-drink", "setting": "cross-dataset"}
    return make(**(chosen | overrides), **{"setting.target-datasets": targets})


def test_the_groups_share_the_classes_of_emojidomains_among_them(default_config: Make) -> None:
    config = default_config()
    whole = emojidomains.load(config.data, config.run, SIZE)
    parts = [group(config, name) for name in GROUPS]
    assert sorted(name for part in parts for name in part.class_names) == list(whole.class_names)
    for split in ("train", "validation", "test"):
        names = [name for part in parts for name in getattr(part, split).names]
        assert sorted(names) == sorted(getattr(whole, split).names)
    for part in parts:
        assert part.train.labels.unique().tolist() == list(range(len(part.class_names)))
        assert set(part.attributes or ()) >= set(part.class_names)


def test_each_target_is_a_split_with_its_own_classes(default_config: Make) -> None:
    config = cross(default_config, "emoji-objects, emoji-activities")
    setting = load_setting(config, SIZE)
    source, objects, activities = setting.evaluations
    assert [e.name for e in setting.evaluations] == [
        "source",
        "emoji-objects",
        "emoji-activities",
    ]
    own = group(config, "food-drink")
    assert setting.train.class_names == source.task.class_names == own.class_names
    assert setting.train.names == own.train.names
    for target, name in ((objects, "objects"), (activities, "activities")):
        dataset = group(config, name)
        assert target.task.class_names == dataset.class_names
        assert target.images.names == dataset.test.names
        assert target.images.image_size == SIZE
        assert all(target.task.attributes), "each class with its own phrases"
        assert not set(target.task.class_names) & set(setting.train.class_names)
    values = {e.name: value for e, value in zip(setting.evaluations, (1, 0.2, 0.6), strict=True)}
    assert setting.summary(values) == {"target-mean": pytest.approx(0.4)}


def test_classes_of_several_data_sets_make_one_task(default_config: Make) -> None:
    """For a picture that is classified against everything the run was tested on."""
    setting = load_setting(cross(default_config, "emoji-objects"), SIZE)
    task = setting.make_task(["tool", "fruit"])
    assert task.class_names == ("tool", "fruit")
    assert all(task.attributes)


def test_one_data_set_without_phrases_means_none_for_such_a_task(
    default_config: Make, small_run: Make
) -> None:
    """A class without phrases beside one that has some would be refused."""
    folder = small_run().data.data_dir
    config = cross(default_config, "imagefolder", data_dir=folder)
    setting = load_setting(config, SIZE)
    assert setting.make_task(["fruit", "cow"]).attributes == ((), ())
    assert all(setting.evaluations[0].task.attributes)


@pytest.mark.parametrize(
    "targets",
    [
        "",
        " , ",
        "nowhere",
        "emoji-objects,nowhere",
        "emoji-food-drink",  # the source
        "emoji-objects,emoji-objects",
    ],
)
def test_targets_that_cannot_be(default_config: Make, targets: str) -> None:
    config = cross(default_config, targets)
    with pytest.raises(ConfigError, match=r"target-datasets is .*allowed: .*emoji-objects"):
        setting_of(group(config, "food-drink"), config)


def test_targets_are_of_the_source_s_kind(default_config: Make) -> None:
    config = cross(default_config, "emojiscenes")
    with pytest.raises(ConfigError, match="'emojiscenes', whose images have several labels"):
        setting_of(group(config, "food-drink"), config)
