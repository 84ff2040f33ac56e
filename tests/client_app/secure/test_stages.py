"""What a client answers to a server that asks out of turn, twice, or for too much."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from federation_harness import set_identity
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from run_configs import run_config

from client_app.exit_check import check_secure
from client_app.secure.stages import answer_keys, answer_shares, answer_unmask, masked_update
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import WireError
from fedmvp_core.secure import records
from fedmvp_core.secure.records import ALIVE, ATTEMPT, GONE, MASKED, RECORD, SEALED, Value

CONFIG: dict[str, Any] = {"secure_aggregation": True, "max_update_norm": 0.0}
TENSORS = {"a": torch.zeros(4), "b": torch.zeros(2, 3)}


def question(told: Mapping[str, Value], attempt: str = "one") -> Message:
    set_identity()
    content = RecordDict({RECORD: ConfigRecord({ATTEMPT: attempt, **told})})
    return Message(content, dst_node_id=1, message_type=MessageType.QUERY)


class Clients:
    """Some clients that have told their keys and shared their secrets."""

    def __init__(self, clients: int = 4, config: RunConfig | None = None) -> None:
        self.config = config or run_config(**CONFIG)
        self.states = [RecordDict() for _ in range(clients)]
        keys = [answer_keys(question({}), state, i) for i, state in enumerate(self.states)]
        known: dict[int, Any] = {}
        for told in keys:
            known |= records.read_keys(told, "a client")
        self.keys = records.keys_table(known)
        asked = question(self.keys | {records.THRESHOLD: 3})
        self.answers = [answer_shares(asked, state, self.config) for state in self.states]

    def sealed_for(self, client: int, leave_out: tuple[int, ...] = ()) -> dict[str, Value]:
        """What a client is told when it is asked to train."""
        sealed = {
            sender: records.read_table(answer, SEALED, "a client")[client]
            for sender, answer in enumerate(self.answers)
            if sender != client and sender not in leave_out
        }
        scale: dict[str, Value] = {records.CLIENTS: len(self.states), records.MOST_WEIGHT: 1}
        return records.table(SEALED, sealed) | scale

    def vector(self, client: int, told: Mapping[str, Value], value: float = 0.01) -> Any:
        trained = {name: torch.full_like(tensor, value) for name, tensor in TENSORS.items()}
        state = self.states[client]
        return masked_update(question(told), state, self.config, trained, TENSORS, 1)


def test_a_client_answers_each_question_once() -> None:
    clients = Clients()
    told = clients.sealed_for(0)
    assert clients.vector(0, told)[MASKED].shape == (11,)
    with pytest.raises(WireError, match="asked for a vector out of turn"):
        clients.vector(0, told)
    asked = question({ALIVE: [0, 1, 2, 3], GONE: []})
    answer = answer_unmask(asked, clients.states[0])
    assert set(records.read_table(answer, records.SEEDS, "a client")) == {0, 1, 2, 3}
    with pytest.raises(WireError, match="holds no secrets"):
        answer_unmask(asked, clients.states[0])


def test_a_second_question_for_shares_is_refused() -> None:
    clients = Clients()
    with pytest.raises(WireError, match="has shared its secrets already"):
        answer_shares(
            question(clients.keys | {records.THRESHOLD: 3}), clients.states[1], clients.config
        )


def test_nothing_is_said_of_another_attempt() -> None:
    clients = Clients()
    clients.vector(0, clients.sealed_for(0))
    with pytest.raises(WireError, match="holds no secrets of the server's attempt"):
        answer_unmask(question({ALIVE: [0, 1, 2, 3], GONE: []}, "two"), clients.states[0])


def test_no_shares_before_the_vector() -> None:
    clients = Clients()
    with pytest.raises(WireError, match="has sent no vector"):
        answer_unmask(question({ALIVE: [0, 1, 2, 3], GONE: []}), clients.states[0])


def test_seed_and_key_of_one_client_are_never_given_both() -> None:
    clients = Clients()
    clients.vector(0, clients.sealed_for(0))
    with pytest.raises(WireError, match="each of its 4 clients once"):
        answer_unmask(question({ALIVE: [0, 1, 2, 3], GONE: [3]}), clients.states[0])


def test_no_vector_for_fewer_than_the_threshold() -> None:
    clients = Clients()
    clients.vector(0, clients.sealed_for(0, leave_out=(3,)))
    with pytest.raises(WireError, match=r"1 neighbours have shared .*; allowed: 2 or more"):
        clients.vector(1, clients.sealed_for(1, leave_out=(2, 3)))


def test_the_threshold_of_the_run_counts() -> None:
    with pytest.raises(WireError, match="3 shares would give a secret; allowed: 4"):
        Clients(config=run_config(**CONFIG, secagg_threshold=4))


def test_an_update_of_nan_stays_at_the_client() -> None:
    clients = Clients()
    with pytest.raises(WireError, match="holds NaN"):
        clients.vector(0, clients.sealed_for(0), float("nan"))


def test_the_same_update_never_looks_the_same() -> None:
    one, two = Clients(), Clients()
    first, second = (each.vector(0, each.sealed_for(0))[MASKED] for each in (one, two))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    "told", [{records.CLIENTS: 0, records.MOST_WEIGHT: 1}, {records.CLIENTS: 4}, {SEALED: 3}]
)
def test_questions_that_lack_something(told: dict[str, Any]) -> None:
    clients = Clients()
    sealed = {k: v for k, v in clients.sealed_for(0).items() if k.startswith(SEALED)}
    with pytest.raises(WireError, match="the server"):
        clients.vector(0, sealed | told if SEALED not in told else told)
    message = question({})
    del message.content[RECORD]
    with pytest.raises(WireError, match="no record 'secure'"):
        answer_keys(message, RecordDict(), 0)


Spoil = Callable[[RecordDict], None]


def update_in_a_list(content: RecordDict) -> None:
    content.config_records[RECORD]["seeds-bytes"] = [bytes(1000)]


def another_word(content: RecordDict) -> None:
    content.config_records[RECORD]["norm"] = 0.5


def another_record(content: RecordDict) -> None:
    content["more"] = ConfigRecord({})


@pytest.mark.parametrize("spoil", [update_in_a_list, another_word, another_record])
def test_nothing_else_leaves(spoil: Spoil) -> None:
    clients = Clients()
    content = RecordDict({RECORD: ConfigRecord(dict(clients.answers[0]))})
    check_secure(content)
    spoil(content)
    with pytest.raises(WireError):
        check_secure(content)
