"""Shards: what each client holds, how many there are, each client's own classes as a split."""

from collections.abc import Callable

import pytest
import torch
from configured import setting_of

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import client_name, local_evaluations, make_shards, paper_clients
from fedmvp_core.errors import ConfigError

Make = Callable[..., RunConfig]


def test_a_client_knows_its_own_classes_only(small_run: Make) -> None:
    config = small_run()
    setting = load_setting(config, 64)
    shards = make_shards(setting, 2, config)
    assert [shard.task.class_names for shard in shards] == [("ant", "bee"), ("cow",)]
    for shard in shards:
        names = shard.task.class_names
        assert shard.images.class_names == shard.validation.class_names == names
        assert shard.images.labels.unique().tolist() == list(range(len(names)))
        assert shard.images.class_counts() == dict.fromkeys(names, 4)
        for images in (shard.images, shard.validation):
            for name, label in zip(images.names, images.labels.tolist(), strict=True):
                assert name.split("/")[1] == names[label]


def test_validation_images_are_of_the_domains_that_a_client_holds(small_run: Make) -> None:
    config = small_run(partition="by-domain")
    shards = make_shards(load_setting(config, 64), 2, config)
    for shard, domain in zip(shards, ("drawn", "photo"), strict=True):
        assert set(shard.images.domains) == set(shard.validation.domains) == {domain}


def test_clients_of_the_same_classes_share_what_they_are_tested_on(small_run: Make) -> None:
    """A copy of the pixels for each of thousands of clients would be more than there is room."""
    config = small_run(partition="iid")
    setting = load_setting(config, 64)
    shards = make_shards(setting, 3, config)
    assert len({shard.task.class_names for shard in shards}) == 1
    assert len({id(shard.validation.pictures) for shard in shards}) == 1
    evaluations = local_evaluations(setting, shards)
    assert len({id(evaluation.images.pictures) for evaluation in evaluations}) == 1
    assert [evaluation.name for evaluation in evaluations] == [client_name(i) for i in range(3)]


def test_shards_are_reproducible(small_run: Make) -> None:
    config = small_run(partition="dirichlet", partition_options="dirichlet-alpha=5.0")
    names = [
        [shard.images.names for shard in make_shards(load_setting(config, 64), 3, config)]
        for _ in range(2)
    ]
    assert names[0] == names[1]


def test_each_clients_classes_are_a_split_of_their_own(small_run: Make) -> None:
    config = small_run()
    setting = load_setting(config, 64)
    shards = make_shards(setting, 2, config)
    evaluations = local_evaluations(setting, shards)
    assert [evaluation.name for evaluation in evaluations] == ["client-000", "client-001"]
    for evaluation, shard in zip(evaluations, shards, strict=True):
        assert evaluation.task is shard.task
        assert set(evaluation.images.present_classes()) == set(shard.task.class_names)
    assert sum(len(e.images) for e in evaluations) == len(setting.local[""])


def test_settings_without_local_images_have_no_such_splits(small_run: Make) -> None:
    config = small_run(setting="msst", setting_options="target-domain=photo", partition="iid")
    setting = load_setting(config, 64)
    assert local_evaluations(setting, make_shards(setting, 2, config)) == ()


def test_shots_of_coop_are_not_drawn_again_in_the_client(small_run: Make) -> None:
    """Two clients share a class of 4 shots; in FedMVP's way each would hold 4 of it."""
    kinds = {"partition": "iid", "shots": 4}
    drawn = {}
    for sampling in ("coop", "fedmvp"):
        config = small_run(shot_sampling=sampling, **kinds)
        shards = make_shards(load_setting(config, 64), 2, config)
        drawn[sampling] = sum(len(shard.images) for shard in shards)
    assert drawn["coop"] == 3 * 4
    assert 3 * 4 < drawn["fedmvp"] <= 2 * 3 * 4


# --- as many clients as in the paper


def of_classes(classes: int, domains: int = 1) -> Dataset:
    n = classes * domains
    images = ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.arange(n) % classes,
        domains=tuple(f"domain {i // classes}" for i in range(n)),
        names=tuple(str(i) for i in range(n)),
        class_names=tuple(f"class {i}" for i in range(classes)),
    )
    return Dataset("toy", images, images, images)


def test_fedmvp_s_nine_data_sets_have_30_clients(default_config: Make) -> None:
    """Classes of each, and the clients that the paper's base-to-new table has for it."""
    sizes = {
        "caltech101": (100, 2),
        "flowers": (102, 3),
        "aircraft": (100, 2),
        "ucf101": (101, 3),
        "pets": (37, 1),
        "food101": (101, 3),
        "dtd": (47, 1),
        "cars": (196, 5),
        "sun397": (397, 10),
    }
    config = default_config()
    found = {
        n: paper_clients(setting_of(of_classes(k), config), config.data)
        for n, (k, _) in sizes.items()
    }
    assert found == {name: clients for name, (_, clients) in sizes.items()}
    assert sum(found.values()) == 30


@pytest.mark.parametrize(
    ("classes", "domains", "each"), [(7, 4, 1), (65, 4, 3), (5, 4, 1), (10, 4, 1), (345, 6, 17)]
)
def test_fedmvp_s_clients_a_domain(
    default_config: Make, classes: int, domains: int, each: int
) -> None:
    """PACS, Office-Home, VLCS, TerraIncognita, DomainNet: so many in each source domain."""
    config = default_config(
        setting="msst", partition="by-domain-and-class", **{"setting.target-domain": "domain 0"}
    )
    setting = setting_of(of_classes(classes, domains), config)
    clients = paper_clients(setting, config.data)
    assert clients == each * (domains - 1)
    shards = make_shards(setting, clients, config)
    sizes = [len(shard.task.class_names) for shard in shards]
    assert sum(sizes) == classes * (domains - 1)


def test_several_labels_have_no_such_rule(default_config: Make) -> None:
    config = default_config(dataset="emojiscenes", setting="multi-label")
    with pytest.raises(ConfigError, match=r"no rule for .*emojiscenes.* 8 \(COCO\)"):
        paper_clients(load_setting(config, 8), config.data)


def test_client_names_sort_as_numbers_do() -> None:
    assert client_name(7) == "client-007"
    assert sorted(client_name(i) for i in (10, 9, 100)) == [
        "client-009",
        "client-010",
        "client-100",
    ]
