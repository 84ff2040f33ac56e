"""Readers of messages: what the server makes of clients' answers, and clients of the server's.

The bytes are those of Flower's RecordDict. What Flower itself cannot decode reaches no app.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict

from client_app.requests import receive
from client_app.worker import new_prompting
from fedmvp_core import protocol
from fedmvp_core.code_version import source_folder, source_hash
from fedmvp_core.config import RunConfig, parse_config
from server_app.cohort.questions import described_node
from server_app.replies.reading import read_evaluation, read_updates
from simulations.benchmarks.fuzz.malformed import LIAR, Round
from simulations.benchmarks.fuzz.reader import Reader
from simulations.runner.project import default_config

_CLASSES = ("ant", "bee")


def _bytes(content: RecordDict) -> bytes:
    return recorddict_to_proto(content).SerializeToString(deterministic=True)


def _decoded(path: Path) -> RecordDict | None:
    """The records, or None where Flower's own decoding refuses them."""
    try:
        return recorddict_from_proto(ProtoRecordDict.FromString(path.read_bytes()))
    except Exception:  # whatever Flower raises, no app is handed such a message
        return None


@cache
def _round() -> Round:
    return Round()


def _as_reply(read: Callable[[Message], object]) -> Callable[[Path], object]:
    def reader(path: Path) -> None:
        content = _decoded(path)
        if content is not None:
            read(_round().reply(content))

    return reader


def _update(reply: Message) -> None:
    checked = read_updates([reply], _round().asked)
    assert len(checked.updates) + len(checked.refused) == 1


def _answer() -> list[bytes]:
    counts = json.dumps({"ant": 3})
    facts: dict[str, int | str] = {
        protocol.PARTITION_ID: 1,
        protocol.NUM_EXAMPLES: 3,
        protocol.NUM_PARTITIONS: 2,
        protocol.CLASSES: counts,
        protocol.DOMAINS: counts,
    }
    error: dict[str, int | str] = {protocol.ERROR: "no such folder", protocol.PARTITION_ID: 1}
    return [
        _bytes(RecordDict({protocol.DESCRIPTION: ConfigRecord(dict(f))})) for f in (facts, error)
    ]


def _evaluation() -> list[bytes]:
    metrics = MetricRecord({"accuracy": 0.5, protocol.NUM_EXAMPLES: 3})
    return [_bytes(RecordDict({protocol.METRICS: metrics}))]


@cache
def _config() -> RunConfig:
    options = {"method": "promptfl", "method-options": "context-length=2", "pretrained": ""}
    return parse_config({**default_config(), **options, "device": "cpu"})


def _request() -> list[bytes]:
    tensors = new_prompting(_config(), _CLASSES).prompt_tensors()
    facts: dict[str, int | str] = {
        protocol.ROUND: 1,
        protocol.RUN_ID: "0123abcd",
        protocol.CACHED_ROUND: 0,
        protocol.CLASS_NAMES: json.dumps(_CLASSES),
        protocol.SOURCES: source_hash(),
        protocol.SOURCE_FOLDER: str(source_folder()),
        protocol.SCHEMA: protocol.schema_hash(tensors),
        protocol.PHASE: "full",
        protocol.TERMS: '[["fedprox", ""]]',
    }
    content = RecordDict({protocol.CONFIG: ConfigRecord(dict(facts))})
    content[protocol.PROMPTS] = ArrayRecord(tensors)
    return [_bytes(content)]


def _received(path: Path) -> None:
    content = _decoded(path)
    if content is not None:
        _round()  # Flower lets nobody make a message before an app process has an identity
        message = Message(content, dst_node_id=5, message_type=MessageType.TRAIN)
        receive(message, RecordDict(), _config())


MESSAGES: Mapping[str, Reader] = {
    "reply": Reader(
        "reply", lambda: [_bytes(_round().content(LIAR))], _as_reply(_update), named=False
    ),
    "answer-of-a-node": Reader(
        "answer", _answer, _as_reply(lambda reply: described_node(1004, reply)), named=False
    ),
    "reply-of-an-evaluation": Reader(
        "evaluation", _evaluation, _as_reply(read_evaluation), named=False
    ),
    "request": Reader("request", _request, _received, named=False),
}
