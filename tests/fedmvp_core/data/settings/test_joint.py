"""One federation over several data sets, two of which have a class of the same name."""

from collections.abc import Callable

import pytest
import torch
from configured import setting_of

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.data.settings.joint import joint_setting
from fedmvp_core.data.shards import local_evaluations, make_shards, paper_clients
from fedmvp_core.errors import ConfigError, DataError

Make = Callable[..., RunConfig]
# FedMVP's base-to-new table: classes of each data set, and the clients that it has there.
PUBLISHED = {
    "caltech101": (100, 2),
    "oxford_flowers": (102, 3),
    "fgvc_aircraft": (100, 2),
    "ucf101": (101, 3),
    "oxford_pets": (37, 1),
    "food101": (101, 3),
    "dtd": (47, 1),
    "stanford_cars": (196, 5),
    "sun397": (397, 10),
}
CLASSES = {"food101": ("apple", "pie", "rose", "salt"), "oxford_flowers": ("rose", "tulip", "x/y")}
SEVERAL = ",".join(CLASSES)


def dataset(name: str, classes: tuple[str, ...], shade: int = 0, each: int = 2) -> Dataset:
    """`each` images of every class and split, all of one shade, with names that repeat."""

    def images() -> ImageSet:
        n = each * len(classes)
        return ImageSet(
            images=torch.full((n, 3, 4, 4), shade, dtype=torch.uint8),
            labels=torch.arange(n) // each,
            domains=("",) * n,
            names=tuple(f"{i}.png" for i in range(n)),
            class_names=classes,
        )

    phrases = {c: (f"{name}'s {c}",) for c in classes} if name == "oxford_flowers" else None
    return Dataset(name, images(), images(), images(), phrases)


def two(config: RunConfig) -> Setting:
    return joint_setting(
        {
            name: setting_of(dataset(name, classes, shade), config.with_values(dataset=name))
            for shade, (name, classes) in enumerate(CLASSES.items(), 1)
        }
    )


@pytest.fixture
def config(default_config: Make) -> RunConfig:
    return default_config(dataset=SEVERAL, data_dir="somewhere")


def test_every_class_is_told_apart_and_spoken_of_in_its_own_words(config: RunConfig) -> None:
    task = two(config).make_task(["oxford_flowers/rose", "food101/rose", "oxford_flowers/x/y"])
    assert task.class_names == ("oxford_flowers/rose", "food101/rose", "oxford_flowers/x/y")
    assert task.spoken_names == ("rose", "rose", "x/y")
    assert task.class_sentences() == [
        "a photo of a rose, a type of flower.",
        "a photo of rose, a type of food.",
        "a photo of a x/y, a type of flower.",
    ]
    assert task.attributes == (("oxford_flowers's rose",), (), ("oxford_flowers's x/y",))
    (described,) = task.attribute_sentences(0)
    assert described.startswith("a photo of a rose, a type of flower, ")
    assert described.endswith(" oxford_flowers's rose")
    assert task.attribute_sentences(1) == ["a photo of rose, a type of food."]
    assert task.attribute_weight == config.data.attribute_weight


def test_a_class_of_no_data_set_is_refused(config: RunConfig) -> None:
    with pytest.raises(DataError, match="class 'rose' is of none of: food101, oxford_flowers"):
        two(config).make_task(["food101/rose", "rose"])


def test_images_keep_their_labels_when_they_come_together(config: RunConfig) -> None:
    setting = two(config)
    names = ("food101/apple", "food101/pie", "oxford_flowers/rose", "oxford_flowers/tulip")
    for images in (setting.train, setting.validation):
        assert images.class_names == names
        assert images.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert images.images[:, 0, 0, 0].tolist() == [1] * 4 + [2] * 4
        assert len(set(images.names)) == len(images) == 8
        assert images.names[4] == "oxford_flowers/0.png"
        assert images.image_size == 4


def test_splits_are_of_each_data_set(config: RunConfig) -> None:
    setting = two(config)
    assert {e.name: e.task.class_names for e in setting.evaluations} == {
        "base-food101": ("food101/apple", "food101/pie"),
        "base-oxford_flowers": ("oxford_flowers/rose", "oxford_flowers/tulip"),
        "new-food101": ("food101/rose", "food101/salt"),
        "new-oxford_flowers": ("oxford_flowers/x/y",),
    }
    for split in setting.evaluations:
        assert split.images.class_names == split.task.class_names
        assert split.name.endswith(split.dataset)
    (everything, _) = two(config.with_values(setting="few-shot")).evaluations
    assert everything.name == "all-food101"
    assert len(everything.task.class_names) == 4


def test_headlines_are_means_over_data_sets(config: RunConfig) -> None:
    summary = two(config).summary
    values = {
        "local-food101": 0.9,
        "local-oxford_flowers": 0.7,
        "base-food101": 0.6,
        "base-oxford_flowers": 0.2,
        "new-food101": 0.1,
        "new-oxford_flowers": 0.3,
    }
    means = {"local": 0.8, "base": 0.4, "new": 0.2}
    harmonic = 3 / sum(1 / mean for mean in means.values())
    assert summary(values) == pytest.approx(means | {"harmonic-mean": harmonic})
    del values["local-food101"]
    assert summary(values) == pytest.approx({"base": 0.4, "new": 0.2})
    of_shots = two(config.with_values(setting="few-shot")).summary
    assert of_shots({"all-food101": 0.5, "all-oxford_flowers": 1.0}) == {"all": 0.75}


def test_a_client_holds_classes_of_one_data_set(config: RunConfig) -> None:
    setting = two(config)
    shards = make_shards(setting, 3, config)
    assert [shard.task.class_names for shard in shards] == [
        ("food101/apple",),
        ("food101/pie",),
        ("oxford_flowers/rose", "oxford_flowers/tulip"),
    ]
    for shard, shade in zip(shards, (1, 1, 2), strict=True):
        assert set(shard.images.images.flatten().tolist()) == {shade}
        assert shard.validation.class_names == shard.task.class_names
        assert set(shard.validation.images.flatten().tolist()) == {shade}
    own = local_evaluations(setting, shards)
    assert [split.dataset for split in own] == ["food101", "food101", "oxford_flowers"]
    assert [split.images.class_names for split in own] == [s.task.class_names for s in shards]


@pytest.mark.parametrize("rule", ["disjoint-classes", "dirichlet", "iid", "pathological"])
def test_a_data_set_is_cut_as_it_is_alone(default_config: Make, rule: str) -> None:
    names = {"food101": 6, "dtd": 3}
    whole = {
        n: dataset(n, tuple(f"{n}{i}" for i in range(2 * k)), each=5) for n, k in names.items()
    }
    config = default_config(dataset=",".join(names), data_dir="somewhere", partition=rule)
    alone = {n: config.with_values(dataset=n) for n in names}
    parts = {n: setting_of(whole[n], alone[n]) for n in names}
    together = make_shards(joint_setting(parts), 6, config)
    apart = [s for n, k in (("food101", 4), ("dtd", 2)) for s in make_shards(parts[n], k, alone[n])]
    assert [s.images.labels.tolist() for s in together] == [s.images.labels.tolist() for s in apart]
    found = [tuple(name.split("/")[1] for name in s.images.names) for s in together]
    assert found == [s.images.names for s in apart]
    assert [s.task.spoken_names for s in together] == [s.task.class_names for s in apart]


def test_fedmvp_s_nine_data_sets_are_thirty_clients_together(default_config: Make) -> None:
    config = default_config(dataset=",".join(PUBLISHED), data_dir="somewhere")
    parts = {
        name: setting_of(
            dataset(name, tuple(f"class {i}" for i in range(classes)), each=1),
            config.with_values(dataset=name),
        )
        for name, (classes, _) in PUBLISHED.items()
    }
    setting = joint_setting(parts)
    assert paper_clients(setting, config.data) == 30
    shards = make_shards(setting, 30, config)
    held = [{name.split("/")[0] for name in shard.task.class_names} for shard in shards]
    assert [len(datasets) for datasets in held] == [1] * 30
    owners = [datasets.pop() for datasets in held]
    assert {name: owners.count(name) for name in PUBLISHED} == {
        name: clients for name, (_, clients) in PUBLISHED.items()
    }
    sizes = [len(shard.task.class_names) for shard in shards]
    assert (
        sum(sizes)
        == len(setting.train.class_names)
        == sum(-(-n // 2) for n, _ in PUBLISHED.values())
    )
    assert (min(sizes), max(sizes)) == (11, 30)  # the released cut: 20 each, the rest to the last


def test_configured_data_sets_are_loaded_and_joined(default_config: Make) -> None:
    """EmojiDomains holds the classes of one of its groups too: the same names, twice."""
    config = default_config(dataset="emoji-activities, emojidomains")
    setting = load_setting(config, 8)
    assert config.data.dataset == "emoji-activities,emojidomains"
    assert len(set(setting.train.class_names)) == len(setting.train.class_names) == 2 + 18
    spoken = setting.make_task(setting.train.class_names).spoken_names
    assert len(set(spoken)) < len(spoken)
    assert len(setting.evaluations) == 4


@pytest.mark.parametrize("setting", ["cross-dataset", "gzsl", "msst", "multi-label", "ssmt", "zsl"])
def test_other_settings_are_of_one_data_set(default_config: Make, setting: str) -> None:
    with pytest.raises(ConfigError, match=f"'{setting}' trains on one; .*: base-to-new, few-shot"):
        default_config(dataset="emoji-activities,emoji-objects", setting=setting)


@pytest.mark.parametrize("partition", ["by-domain", "by-domain-and-class", "own"])
def test_partitions_by_domain_are_of_one_data_set(default_config: Make, partition: str) -> None:
    with pytest.raises(ConfigError, match=f"partition '{partition}' is for one"):
        default_config(dataset="emoji-activities,emoji-objects", partition=partition)
