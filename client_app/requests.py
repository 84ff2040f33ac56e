"""What a client is sent, read and checked before anything is done with it."""

import json
from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from torch import Tensor

from client_app.state import merge_received
from client_app.worker import new_prompting
from fedmvp_core import protocol
from fedmvp_core.code_version import check_sources
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import WireError
from fedmvp_core.json_logs import note
from fedmvp_core.prompting import Prompting

SENDER = "the server"


@dataclass(frozen=True)
class Received:
    """The global prompt tensors of a round.

    prompting: the method's module, with these tensors. tensors: in the schema's order. prompts: the
    same in bytes, as they came.
    """

    prompting: Prompting
    tensors: dict[str, Tensor]
    prompts: ArrayRecord


def receive(message: Message, state: RecordDict, config: RunConfig) -> Received:
    """What the message brings, with what the client still holds of earlier ones in its state.

    Raises:
        WireError: other sources than the server's, another schema, missing or damaged tensors.
    """
    check_server_sources(message)
    facts = config_of(message)
    note(round=protocol.integer(facts, protocol.ROUND, SENDER))
    merged = merged_prompts(message, state)
    tensors = merged.to_torch_state_dict()
    prompting = new_prompting(config, class_names_of(message))
    schema = prompting.prompt_tensors()
    protocol.check_schema(protocol.schema_hash(schema), str(facts[protocol.SCHEMA]), SENDER)
    # The merge may have changed the order; the schema's order is the one that counts.
    protocol.check_prompt_tensors(tensors, schema, schema, SENDER)
    ordered = {name: tensors[name] for name in schema}
    prompting.load_prompt_tensors(ordered)
    return Received(prompting, ordered, merged)


def merged_prompts(message: Message, state: RecordDict) -> ArrayRecord:
    """The prompt tensors of the message over those that the client still holds.

    Raises:
        WireError: the server counts on tensors that this client no longer holds.
    """
    prompts = message.content[protocol.PROMPTS]
    assert isinstance(prompts, ArrayRecord)
    return merge_received(
        state, prompts, protocol.integer(config_of(message), protocol.CACHED_ROUND, SENDER)
    )


def config_of(message: Message) -> ConfigRecord:
    """The words and numbers that go with the tensors."""
    record = message.content[protocol.CONFIG]
    assert isinstance(record, ConfigRecord)
    return record


def class_names_of(message: Message) -> tuple[str, ...]:
    """All classes that the federation trains on.

    Raises:
        WireError: the message does not hold a list of names.
    """
    text = config_of(message).get(protocol.CLASS_NAMES)
    try:
        names = json.loads(str(text))
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WireError(f"{SENDER}: '{protocol.CLASS_NAMES}' is {text!r}; expected a list of names")
    return tuple(names)


def check_server_sources(message: Message) -> None:
    """Raises WireError when the server runs other code than this client."""
    facts = config_of(message)
    check_sources(str(facts[protocol.SOURCES]), str(facts[protocol.SOURCE_FOLDER]))
