"""The node config: what a SuperNode may say, and what it must not."""

from collections.abc import Callable
from typing import Any

import pytest

from client_app.node import Holding, partition_id_of, read_node
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError

Make = Callable[..., RunConfig]


def test_a_piece_of_the_runs_data_set(default_config: Make) -> None:
    run = default_config()
    config, holding = read_node({"partition-id": 1, "num-partitions": 3}, run.as_mapping())
    assert config == run
    assert holding == Holding(1, 3)


def test_places_are_the_nodes_own(default_config: Make) -> None:
    node = {"partition-id": 0, "num-partitions": 2, "data-dir": "/data", "dataset": "imagefolder"}
    config, _ = read_node(node | {"cache-dir": "/cache"}, default_config().as_mapping())
    assert (config.data.data_dir, config.data.dataset, config.run.cache_dir) == (
        "/data",
        "imagefolder",
        "/cache",
    )
    assert config.model.method == default_config().model.method


def test_a_configuration_is_read_once_for_all_messages(default_config: Make) -> None:
    node = {"partition-id": 0, "num-partitions": 2}
    run = dict(default_config().as_mapping())
    assert read_node(node, run)[0] is read_node({**node, "partition-id": 1}, dict(run))[0]
    assert read_node(node, run | {"seed": 2})[0].run.seed == 2
    for wrong in (True, 1.0):  # equal to 1, and no whole number all the same
        read_node(node, run | {"seed": 1})
        with pytest.raises(ConfigError, match="seed"):
            read_node(node, run | {"seed": wrong})


def test_own_data(default_config: Make) -> None:
    run = default_config(partition="own").as_mapping()
    node = {"partition-id": 4, "classes": "bee, cat ,", "data-dir": "/data"}
    _, holding = read_node(node, run)
    assert holding == Holding(4, 0, ("bee", "cat"))


@pytest.mark.parametrize(
    ("partition", "node", "words"),
    [
        ("iid", {}, "partition-id is missing"),
        ("iid", {"partition-id": "a", "num-partitions": 2}, "partition-id is 'a'"),
        ("iid", {"partition-id": True, "num-partitions": 2}, "partition-id is True"),
        ("iid", {"partition-id": -1, "num-partitions": 2}, "partition-id is -1"),
        ("iid", {"partition-id": 2, "num-partitions": 2}, "allowed: 0 to 1"),
        ("iid", {"partition-id": 0}, "num-partitions is missing.*set partition to 'own'"),
        ("iid", {"partition-id": 0, "num-partitions": 1, "classes": "a"}, "classes"),
        ("iid", {"partition-id": 0, "num-partition": 1}, "did you mean num-partitions"),
        ("own", {"partition-id": 0, "num-partitions": 1}, "leave it out"),
        ("iid", {"partition-id": 0, "num-partitions": 1, "dataset": "mars"}, "dataset is 'mars'"),
    ],
)
def test_what_is_wrong_is_named(
    default_config: Make, partition: str, node: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_node(node, default_config(partition=partition).as_mapping())


def test_the_number_of_a_node_is_read_whatever_else_is_wrong() -> None:
    assert partition_id_of({"partition-id": 3, "nonsense": 1}) == 3
