"""Finding the supernodes: late ones are waited for, missing ones named, within the deadline."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from federation_harness import (
    FIRST_NODE,
    SerialGrid,
    client_context,
    error_reply,
    forget_worker,
)
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode

from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from server_app.cohort import nodes
from server_app.cohort.nodes import find_nodes, places, with_returned

NAMES: tuple[str, ...] = ()  # what the federation trains on matters to nodes with own data


class LateGrid(SerialGrid):
    """Supernodes appear after so many looks; those in `mute` never answer."""

    def __init__(self, config: RunConfig, clients: int, late: dict[int, int], mute: set[int]):
        super().__init__(config, clients)
        self.late, self.mute, self.looks = late, mute, 0

    def get_node_ids(self) -> Iterable[int]:
        self.looks += 1
        return [node for node in self.contexts if self.late.get(node - FIRST_NODE, 0) <= self.looks]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return super().pull_messages(
            [
                i
                for i in message_ids
                if self._unanswered[i].metadata.dst_node_id - FIRST_NODE not in self.mute
            ]
        )


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "POLL_SECONDS", 0.01)


def test_nodes_are_found_and_sorted_by_partition_id(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    found = find_nodes(SerialGrid(config, 3, order=lambda messages: messages[::-1]), config, NAMES)
    assert [node.partition_id for node in found] == [0, 1, 2]
    assert [node.node_id for node in found] == [FIRST_NODE, FIRST_NODE + 1, FIRST_NODE + 2]
    assert found[1].num_examples == 4
    assert found[1].classes == {"bee": 4}
    assert sum(found[1].domains.values()) == 4


def test_late_nodes_are_waited_for(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    grid = LateGrid(config, 3, late={0: 4, 1: 2, 2: 9}, mute=set())
    assert [node.partition_id for node in find_nodes(grid, config, NAMES)] == [0, 1, 2]
    asked = [message.metadata.dst_node_id for message in grid.sent]
    assert sorted(asked) == sorted(grid.contexts), "each is asked once"


@pytest.mark.parametrize(
    ("late", "mute"), [({1: 10**9, 3: 10**9}, set()), ({3: 10**9}, {1})], ids=["absent", "mute"]
)
def test_missing_nodes_are_named_within_the_deadline(
    small_run: Callable[..., RunConfig], late: dict[int, int], mute: set[int]
) -> None:
    config = small_run(partition="iid", node_timeout=1)
    find_nodes(
        SerialGrid(config, 4), config, NAMES
    )  # the shards are made, so that the clock is fair
    started = time.monotonic()
    with pytest.raises(FedMVPError) as caught:
        find_nodes(LateGrid(config, 4, late, mute), config, NAMES)
    assert time.monotonic() - started < 3
    assert "2 of 4 supernodes answered within node-timeout (1 s)" in str(caught.value)
    assert str(caught.value).endswith("missing partition ids: 1, 3")


def test_no_node_at_all(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(node_timeout=1)
    with pytest.raises(FedMVPError, match=r"no supernode answered within node-timeout \(1 s\)"):
        find_nodes(SerialGrid(config, 0), config, NAMES)


def test_clients_must_be_the_number_of_supernodes(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(clients=2)
    with pytest.raises(ConfigError, match="clients is 2, but there are 3 supernodes; make them"):
        find_nodes(SerialGrid(config, 3), config, NAMES)
    assert len(find_nodes(SerialGrid(small_run(clients=3), 3), small_run(clients=3), NAMES)) == 3


def test_a_shard_that_cannot_be_made_stops_the_run(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(data_dir="/nowhere")
    forget_worker()
    with pytest.raises(FedMVPError, match=r"client \d: data-dir '/nowhere' is not a folder"):
        find_nodes(SerialGrid(config, 2), config, NAMES)


def test_a_failing_node_stops_the_run(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()

    def fail(message: Message, partition_id: int) -> Message | None:
        return error_reply(message, "no module named torch") if partition_id == 1 else None

    with pytest.raises(FedMVPError, match="a supernode fails: no module named torch"):
        find_nodes(SerialGrid(config, 2, intercept=fail), config, NAMES)


@pytest.mark.parametrize(
    "description",
    [{}, {"partition-id": "0"}, {"partition-id": 0, "num-partitions": 1, "num-examples": "many"}],
)
def test_an_answer_of_another_kind_is_refused(
    small_run: Callable[..., RunConfig], description: dict[str, Any]
) -> None:
    config = small_run()

    def strange(message: Message, partition_id: int) -> Message:
        content = RecordDict(
            {protocol.DESCRIPTION: ConfigRecord(description)} if description else {}
        )
        return Message(content, reply_to=message)

    with pytest.raises(FedMVPError, match="a supernode"):
        find_nodes(SerialGrid(config, 1, intercept=strange), config, NAMES)


def test_two_nodes_with_one_partition_id_are_named(small_run: Callable[..., RunConfig]) -> None:
    grid = SerialGrid(small_run(), 2)
    grid.contexts[FIRST_NODE + 1].node_config["partition-id"] = 0
    with pytest.raises(FedMVPError, match=r"supernodes 100\d and 100\d both have partition-id 0"):
        find_nodes(grid, small_run(), NAMES)


def test_a_node_that_left_while_it_was_asked_is_asked_again(
    small_run: Callable[..., RunConfig],
) -> None:
    refusals = [True, True]

    def away(message: Message, partition_id: int) -> Message | None:
        if partition_id == 1 and refusals:
            refusals.pop()
            return Message(Error(ErrorCode.NODE_UNAVAILABLE, "gone"), reply_to=message)
        return None

    config = small_run()
    found = find_nodes(SerialGrid(config, 2, intercept=away), config, NAMES)
    assert [node.partition_id for node in found] == [0, 1]
    assert not refusals


def test_a_node_that_came_back_is_found_by_its_partition_id(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    grid = SerialGrid(config, 3)
    before = find_nodes(grid, config, NAMES)
    assert with_returned(grid, before, NAMES, room=len(before)) == before
    assert len(grid.sent) == 3, "nobody is asked while everybody is there"
    del grid.contexts[FIRST_NODE + 1]
    assert with_returned(grid, before, NAMES, room=len(before)) == before, (
        "who has left keeps its place"
    )
    grid.contexts[5] = client_context(config, 1, 3)
    grid.contexts[6] = client_context(config, 2, 3)  # of one who has not left
    grid.intercept = lambda message, partition_id: None
    after = with_returned(grid, before, NAMES, room=len(before))
    assert [node.node_id for node in after] == [FIRST_NODE, 5, FIRST_NODE + 2]
    assert [node.classes for node in after] == [node.classes for node in before]


def test_a_node_that_comes_back_in_another_shape_is_left_out(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    grid = SerialGrid(config, 2)
    before = find_nodes(grid, config, NAMES)
    grid.contexts[5] = grid.contexts.pop(FIRST_NODE + 1)
    grid.contexts[5].node_config["colour"] = "blue"
    assert with_returned(grid, before, NAMES, room=len(before)) == before


def test_a_run_may_begin_before_everybody_has_come(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(partition="iid", node_timeout=1, start_clients=2)
    find_nodes(SerialGrid(config, 3), config, NAMES)  # makes the shards: the clock is then fair
    grid = LateGrid(config, 3, late={1: 10**9}, mute=set())
    early = find_nodes(grid, config, NAMES)
    assert [node.partition_id for node in early] == [0, 2]
    assert places(early, config.data) == 3
    with pytest.raises(FedMVPError, match="2 of 3 supernodes answered within node-timeout"):
        find_nodes(
            LateGrid(config, 3, {1: 10**9}, set()), config.with_values(start_clients=3), NAMES
        )
    assert with_returned(grid, early, NAMES, room=3) == early, "it has not come yet"
    grid.late.clear()
    asked = len(grid.sent)
    assert with_returned(grid, early, NAMES, room=2) == early, "there is no room for more"
    assert len(grid.sent) == asked, "and then nobody is asked"
    everybody = with_returned(grid, early, NAMES, room=3)
    assert [node.partition_id for node in everybody] == [0, 1, 2]
    assert [node.node_id for node in everybody] == [FIRST_NODE + i for i in range(3)]
    assert [everybody[0], everybody[2]] == early


def test_a_late_node_that_cuts_the_data_set_otherwise_is_left_out(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(partition="iid", node_timeout=1, start_clients=1)
    grid = LateGrid(config, 2, late={1: 10**9}, mute=set())
    early = find_nodes(grid, config, NAMES)
    grid.late.clear()
    grid.contexts[FIRST_NODE + 1].node_config["num-partitions"] = 3
    assert with_returned(grid, early, NAMES, room=2) == early


def own_grid(config: RunConfig, configs: list[dict[str, Any]]) -> SerialGrid:
    grid = SerialGrid(config, len(configs))
    for context, node_config in zip(grid.contexts.values(), configs, strict=True):
        context.node_config.clear()
        context.node_config.update(node_config)
    return grid


def test_sites_bring_data_of_their_own(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(partition="own", clients=2, setting="few-shot")
    everything = find_nodes(
        own_grid(config, [{"partition-id": 3}] * 1),
        small_run(partition="own", clients=1, setting="few-shot"),
        names_of(config),
    )[0].classes
    first, second = list(everything)[:2]
    grid = own_grid(
        config,
        [
            {"partition-id": 7, "classes": first},
            {"partition-id": 3, "classes": f"{second},{first}"},
        ],
    )
    found = find_nodes(grid, config, names_of(config))
    assert [node.partition_id for node in found] == [3, 7]
    assert [set(node.classes) for node in found] == [{first, second}, {first}]


def names_of(config: RunConfig) -> tuple[str, ...]:
    from fedmvp_core.data.imagefolder import load

    return load(config.data, config.run, 16).class_names


def test_a_site_with_classes_of_its_own_is_refused_by_name(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run(partition="own", clients=1, setting="few-shot")
    names = names_of(config)
    with pytest.raises(FedMVPError, match=f"client 0: this node's classes {names[0]} are not"):
        find_nodes(own_grid(config, [{"partition-id": 0}]), config, names[1:])


def test_sites_must_be_counted(small_run: Callable[..., RunConfig]) -> None:
    config = small_run(partition="own")
    with pytest.raises(ConfigError, match="set clients to their number"):
        find_nodes(own_grid(config, [{"partition-id": 0}]), config, names_of(config))
