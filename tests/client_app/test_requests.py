"""What the server sends, as a client reads it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from federation_harness import set_identity
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict

from client_app.requests import check_server_sources, class_names_of, receive
from client_app.state import remember
from client_app.worker import new_prompting
from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import WireError


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
