"""What the server sends, as a client reads it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import set_identity
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from run_configs import run_config

from client_app.requests import check_server_sources, class_names_of, receive
from client_app.state import remember
from client_app.worker import new_prompting
from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, WireError

TRAINING = run_config().training


def message(prompts: dict[str, torch.Tensor] | None = None, **changes: Any) -> Message:
    set_identity()
    facts: dict[str, Any] = {
        protocol.ROUND: 1,
        protocol.RUN_ID: "0123abcd",
        protocol.CACHED_ROUND: 0,
        protocol.CLASS_NAMES: json.dumps(["ant", "bee"]),
        protocol.SOURCES: source_hash(),
        protocol.SOURCE_FOLDER: str(source_folder()),
    }
    facts |= {key.replace("_", "-"): value for key, value in changes.items()}
    records = {protocol.CONFIG: ConfigRecord(facts), protocol.PROMPTS: ArrayRecord(prompts or {})}
    return Message(RecordDict(records), dst_node_id=5, message_type=MessageType.TRAIN)


def test_what_is_held_and_what_is_sent_become_one_in_the_schemas_order(
    small_run: Callable[..., RunConfig],
) -> None:
    config, state = small_run(), RecordDict()
    schema = new_prompting(config, ("ant", "bee")).prompt_tensors()
    remember(state, ArrayRecord(schema), 3)
    last = list(schema)[-1]
    sent = message(
        {last: schema[last] + 1}, cached_round=3, schema_hash=protocol.schema_hash(schema)
    )
    received = receive(sent, state, config)
    assert list(received.tensors) == list(schema)
    assert torch.equal(received.tensors[last], schema[last] + 1)
    assert torch.equal(received.prompting.prompt_tensors()[last], schema[last] + 1)
    assert all(torch.equal(received.tensors[name], schema[name]) for name in schema if name != last)
    again = received.prompts.to_torch_state_dict()
    assert all(torch.equal(value, received.tensors[name]) for name, value in again.items())


@pytest.mark.parametrize("text", ["", "ant", '{"ant": 1}', '["ant", 1]', "null"])
def test_class_names_are_a_list_of_names(text: str) -> None:
    assert class_names_of(message()) == ("ant", "bee")
    with pytest.raises(WireError, match="; expected a list of names"):
        class_names_of(message(class_names=text))


def test_other_sources_are_refused() -> None:
    check_server_sources(message())
    with pytest.raises(WireError, match="the server that in '/elsewhere'"):
        check_server_sources(message(source_hash="0" * 16, source_folder="/elsewhere"))


# --- terms, and what a plugin's strategy tells


def test_tensors_of_terms_come_beside_the_prompt_tensors(
    small_run: Callable[..., RunConfig],
) -> None:
    """SCAFFOLD's variate of the server comes with the message, a new client's own is zero."""
    config = small_run()
    prompts = new_prompting(config, ("ant", "bee")).prompt_tensors()
    variates = {f"term/scaffold/{n}": torch.full_like(t, 0.5) for n, t in prompts.items()}
    schema = prompts | variates
    terms = json.dumps([["scaffold", "share=0.25"], ["fedprox", "mu=2"]])
    sent = message(schema, client_terms=terms, schema_hash=protocol.schema_hash(schema))
    received = receive(sent, RecordDict(), config)
    assert [(term.name, vars(options)) for term, options in received.terms] == [
        ("scaffold", {"share": 0.25}),
        ("fedprox", {"mu": 2.0}),
    ]
    assert list(received.tensors) == list(schema)
    round = received.local_round({}, TRAINING)
    assert set(round.received) == set(prompts)
    assert set(round.exchanged["scaffold"]) == set(round.kept["scaffold"]) == set(prompts)
    assert all((value == 0.5).all() for value in round.exchanged["scaffold"].values())
    assert not any(value.any() for value in round.kept["scaffold"].values())
    kept = {f"scaffold/{n}": torch.ones_like(t) for n, t in prompts.items()}
    again = received.local_round(kept, TRAINING)
    assert all((value == 1).all() for value in again.kept["scaffold"].values())


def test_tensors_of_a_term_that_nobody_asked_for_are_refused(
    small_run: Callable[..., RunConfig],
) -> None:
    config = small_run()
    prompts = new_prompting(config, ("ant", "bee")).prompt_tensors()
    more = prompts | {f"term/scaffold/{n}": t for n, t in prompts.items()}
    with pytest.raises(WireError, match="prompt tensors of schema"):
        receive(message(more, schema_hash=protocol.schema_hash(more)), RecordDict(), config)
    with pytest.raises(WireError, match="holds unexpected term/scaffold"):
        receive(message(more, schema_hash=protocol.schema_hash(prompts)), RecordDict(), config)


def test_a_term_that_is_not_installed_is_named(small_run: Callable[..., RunConfig]) -> None:
    sent = message({}, client_terms='[["moon", ""]]', schema_hash="0")
    with pytest.raises(ConfigError, match="term is 'moon'; installed: fedprox, scaffold"):
        receive(sent, RecordDict(), small_run())


def test_what_a_strategy_tells_is_in_the_round(small_run: Callable[..., RunConfig]) -> None:
    config = small_run()
    prompts = new_prompting(config, ("ant", "bee")).prompt_tensors()
    told = {"temperature": 0.5, "name": "a", "fast": True}
    facts = {"strategy_config": json.dumps(told), "schema_hash": protocol.schema_hash(prompts)}
    received = receive(message(prompts, **facts), RecordDict(), config)
    assert received.local_round({}, TRAINING).strategy_config == told
    assert received.local_round({}, TRAINING).exchanged == {}


@pytest.mark.parametrize("run_id", ["", "../other", "a/b", "A1B2", "0" * 1000])
def test_a_run_id_is_no_path(small_run: Callable[..., RunConfig], run_id: str) -> None:
    with pytest.raises(WireError, match="'run-id' is "):
        receive(message({}, run_id=run_id), RecordDict(), small_run())
