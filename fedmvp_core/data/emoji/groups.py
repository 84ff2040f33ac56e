"""EmojiDomains' five groups as data sets of their own, for the cross-dataset setting.

A class belongs to one group of Unicode's emoji, so that no two of these share a class.
"""

import json

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.data.emoji import domains as emojidomains
from fedmvp_core.data.emoji.assets import read_asset
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.plugins import DatasetLoader


def _loader(group: str) -> DatasetLoader:
    def load(data: DataSection, run: RunSection, image_size: int) -> Dataset:
        whole = emojidomains.load(data, run, image_size)
        names = _classes_of(group, whole.class_names)
        return Dataset(
            f"emoji-{group}",
            whole.train.of_classes(names),
            whole.validation.of_classes(names),
            whole.test.of_classes(names),
            whole.attributes,
        )

    load.__doc__ = f"EmojiDomains' classes of the group {group}."
    return load


def _classes_of(group: str, class_names: tuple[str, ...]) -> tuple[str, ...]:
    table = json.loads(read_asset("emojidomains/concepts.json"))
    members = {concept["class"] for concept in table["concepts"] if concept["group"] == group}
    return tuple(name for name in class_names if name in members)


activities = _loader("activities")
animals_nature = _loader("animals-nature")
food_drink = _loader("food-drink")
objects = _loader("objects")
travel_places = _loader("travel-places")
