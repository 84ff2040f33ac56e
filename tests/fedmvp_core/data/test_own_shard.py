"""A site's own data as its shard."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from configured import dataset_of
from small_pictures import write_folder, write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import own_shard
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.registry import PARTITIONS, find

Make = Callable[..., RunConfig]
SIZE = 16


def test_a_site_serves_all_its_training_images(small_run: Make) -> None:
    config = small_run(partition="own", shots=0)
    dataset = dataset_of(config, SIZE)
    shard = own_shard(config, SIZE, 3, (), dataset.class_names)
    assert shard.partition_id == 3
    assert shard.task.class_names == dataset.class_names
    assert sorted(shard.images.names) == sorted(dataset.train.names)
    assert sorted(shard.validation.names) == sorted(dataset.validation.names)


def test_classes_and_shots_restrict_it(small_run: Make) -> None:
    config = small_run(partition="own", shots=2)
    names = dataset_of(config, SIZE).class_names
    shard = own_shard(config, SIZE, 0, (names[2], names[0]), names)
    assert shard.images.class_counts() == {names[2]: 2, names[0]: 2}
    assert shard.task.class_names == (names[2], names[0])
    again = own_shard(config, SIZE, 0, (names[2], names[0]), names)
    assert torch.equal(shard.images.images, again.images.images)


def test_labels_point_to_the_same_pictures_as_before(small_run: Make) -> None:
    config = small_run(partition="own", shots=0)
    dataset = dataset_of(config, SIZE)
    shard = own_shard(config, SIZE, 0, dataset.class_names[1:3], dataset.class_names)
    named = {
        name: dataset.class_names[label]
        for name, label in zip(dataset.train.names, dataset.train.labels.tolist(), strict=True)
    }
    for name, label in zip(shard.images.names, shard.images.labels.tolist(), strict=True):
        assert shard.task.class_names[label] == named[name]


def test_what_to_mind_of_a_sites_data_is_in_its_log(
    default_config: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path / "site", ("ant", "bee"), 5)
    write_picture(tmp_path / "site" / "dodo" / "00.png", 1)
    config = default_config(dataset="imagefolder", data_dir=str(tmp_path / "site"))
    with caplog.at_level(logging.WARNING):
        own_shard(config, SIZE, 0, (), ("ant", "bee", "dodo"))
    assert "site: 1 classes have a single picture: dodo" in caplog.text
    write_picture(tmp_path / "site" / "Ant" / "00.png", 1)
    with pytest.raises(DataError, match="spelled in several ways: 'ant' and 'Ant'"):
        own_shard(config, SIZE, 0, (), ("ant", "bee", "dodo"))


def test_the_settings_test_domain_never_trains(small_run: Make) -> None:
    config = small_run(partition="own", shots=0, setting="msst")
    domains = dataset_of(config, SIZE).domains
    target = small_run(
        partition="own", shots=0, setting="msst", setting_options=f"target-domain={domains[0]}"
    )
    shard = own_shard(target, SIZE, 0, (), dataset_of(config, SIZE).class_names)
    assert set(shard.images.domains) == set(domains[1:])
    source = small_run(
        partition="own", shots=0, setting="ssmt", setting_options=f"source-domain={domains[0]}"
    )
    shard = own_shard(source, SIZE, 0, (), dataset_of(config, SIZE).class_names)
    assert set(shard.images.domains) == {domains[0]}


def test_foreign_and_absent_classes_are_refused_by_name(small_run: Make) -> None:
    config = small_run(partition="own")
    names = dataset_of(config, SIZE).class_names
    with pytest.raises(ConfigError, match=f"classes {names[0]} are not trained by the federation"):
        own_shard(config, SIZE, 0, (), names[1:])
    with pytest.raises(ConfigError, match="classes names unicorn, which"):
        own_shard(config, SIZE, 0, ("unicorn",), names)


def test_a_simulation_has_no_sites(small_run: Make) -> None:
    config = small_run()
    with pytest.raises(ConfigError, match="is for deployments"):
        find(PARTITIONS, "own")(dataset_of(config, SIZE).train, 2, 1)
