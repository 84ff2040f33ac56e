"""Shards: what each client holds, few-shot, and each client's own classes as a split."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import client_name, few_shot, local_evaluations, make_shards

Make = Callable[..., RunConfig]


def image_set(counts: list[int]) -> ImageSet:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return ImageSet(
        images=torch.zeros(len(labels), 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(labels),
        domains=("",) * len(labels),
        names=tuple(str(i) for i in range(len(labels))),
        class_names=tuple(f"class {i}" for i in range(len(counts))),
    )


@pytest.mark.parametrize("shots", [1, 3, 8])
def test_few_shot_caps_each_class(shots: int) -> None:
    kept = few_shot(image_set([5, 2, 9]), shots, seed=1, partition_id=0)
    counts = Counter(kept.labels.tolist())
    assert counts == {0: min(shots, 5), 1: min(shots, 2), 2: min(shots, 9)}
    assert len(set(kept.names)) == len(kept)


def test_zero_shots_keep_everything() -> None:
    images = image_set([5, 2])
    assert few_shot(images, 0, seed=1, partition_id=0) is images


def test_few_shot_is_drawn_by_seed_and_client() -> None:
    images = image_set([50, 50])

    def drawn(seed: int, partition_id: int) -> tuple[str, ...]:
        return few_shot(images, 8, seed, partition_id).names

    assert drawn(1, 0) == drawn(1, 0)
    assert len({drawn(1, 0), drawn(2, 0), drawn(1, 1)}) == 3


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


def test_shards_are_reproducible(small_run: Make) -> None:
    config = small_run(partition="dirichlet", dirichlet_alpha=5.0)
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
    assert setting.local is not None
    assert sum(len(e.images) for e in evaluations) == len(setting.local)


def test_settings_without_local_images_have_no_such_splits(small_run: Make) -> None:
    config = small_run(setting="msst", target_domain="photo", partition="iid")
    setting = load_setting(config, 64)
    assert local_evaluations(setting, make_shards(setting, 2, config)) == ()


def test_client_names_sort_as_numbers_do() -> None:
    assert client_name(7) == "client-007"
    assert sorted(client_name(i) for i in (10, 9, 100)) == [
        "client-009",
        "client-010",
        "client-100",
    ]
