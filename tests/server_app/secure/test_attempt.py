"""Answers that spoil an attempt: each is noticed, and says whose it is."""

from collections.abc import Callable
from typing import Any

import pytest
from federation_harness import SerialGrid, metric_rows
from flwr.app import ConfigRecord, Message

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError
from fedmvp_core.secure.records import ASK_KEYS, ASK_SHARES, ASK_UNMASK, RECORD
from simulations.runner.inline import FIRST_NODE, play

Make = Callable[..., RunConfig]
Spoil = Callable[[ConfigRecord], None]


def secure(small_run: Make, **more: Any) -> RunConfig:
    keys: dict[str, Any] = {"method": "promptfl", "shots": 1, "local_epochs": 1, "rounds": 1}
    keys |= {"partition": "iid", "secure_aggregation": True, "max_update_norm": 0.0}
    return small_run(**(keys | more))


def spoilt(config: RunConfig, clients: int, question: str, spoil: Spoil) -> None:
    """Play a run whose client 0 answers one kind of question wrong."""

    class SpoilingGrid(SerialGrid):
        def answer(self, message: Message) -> Message:
            reply = super().answer(message)
            first = message.metadata.dst_node_id == FIRST_NODE
            if first and message.metadata.message_type.endswith(question):
                spoil(reply.content.config_records[RECORD])
            return reply

    play(config, SpoilingGrid(config, clients))


def shorter_keys(record: ConfigRecord) -> None:
    record["keys-bytes"] = [data[:90] for data in record["keys-bytes"]]  # type: ignore[union-attr]


def others_key(record: ConfigRecord) -> None:
    record["keys-of"] = [2]


def no_share_for_one(record: ConfigRecord) -> None:
    for key in ("sealed-of", "sealed-bytes"):
        record[key] = record[key][1:]  # type: ignore[index]


def another_attempt(record: ConfigRecord) -> None:
    record["attempt"] = "another"


def no_record(record: ConfigRecord) -> None:
    record.clear()


@pytest.mark.parametrize(
    ("question", "spoil"),
    [
        (ASK_KEYS, shorter_keys),
        (ASK_KEYS, others_key),
        (ASK_KEYS, another_attempt),
        (ASK_KEYS, no_record),
        (ASK_SHARES, no_share_for_one),
    ],
)
def test_who_answers_wrong_has_dropped_out(small_run: Make, question: str, spoil: Spoil) -> None:
    config = secure(small_run)
    spoilt(config, 4, question, spoil)
    rows = {name: value for _, split, name, value in metric_rows(config) if split == "train"}
    assert (rows["clients"], rows["refused-secagg"]) == (3, 1)


def changed_share(record: ConfigRecord) -> None:
    shares: Any = record["seeds-bytes"]
    record["seeds-bytes"] = [shares[0][:-1] + bytes([shares[0][-1] ^ 1]), *shares[1:]]


def test_a_wrong_share_ends_the_round_instead_of_spoiling_the_mean(small_run: Make) -> None:
    config = secure(small_run)
    with pytest.raises(FedMVPError, match=r"secure aggregation fails: .*shares"):
        spoilt(config, 3, ASK_UNMASK, changed_share)


def test_a_share_that_is_not_needed_may_be_missing(small_run: Make) -> None:
    config = secure(small_run)
    spoilt(config, 3, ASK_UNMASK, another_attempt)
    rows = {name: value for _, split, name, value in metric_rows(config) if split == "train"}
    assert rows["clients"] == 3
