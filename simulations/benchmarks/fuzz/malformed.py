"""Replies that no honest client sends: one function for each kind."""

import io
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Error,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.supercore.task_identity import TaskIdentity

from fedmvp_core import protocol
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from server_app.replies.reading import REPORTED, Asked

SOUND_CLIENTS = 4
LIAR = SOUND_CLIENTS
ROUND, IMAGES = 3, 50
_WORDS = ("", "no", "full\n", "\x00", "ф" * 2000, "phase", "nan", "{}")


class Round:
    """A round of a small PromptFormer, and what its clients answer."""

    def __init__(self) -> None:
        # What Flower sets in every app process; without it no Message can be built.
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = PromptFormer(8, 6, heads=2, lora_rank=2)
        self.tensors = module.prompt_tensors()
        self.names = module.phase_tensors(FULL)
        self.asked = Asked(
            round=ROUND,
            nodes={client: 1000 + client for client in range(SOUND_CLIENTS + 1)},
            tensors=self.tensors,
            phases={},
            method_phases=(FULL, LORA),
            phase_tensors=module.phase_tensors,
            metrics=REPORTED,
            most_images=dict.fromkeys(range(SOUND_CLIENTS + 1), IMAGES),
            longest=5.0,
        )

    def content(self, client: int) -> RecordDict:
        """A sound reply's records."""
        moved = {name: self.tensors[name] + 0.01 * (client + 1) for name in self.names}
        metrics: dict[str, int | float | list[float]] = dict.fromkeys(REPORTED, 0.5)
        metrics |= {
            protocol.PARTITION_ID: client,
            protocol.NUM_EXAMPLES: IMAGES,
            protocol.PHASE_NUMBER: 0,
            "step-loss": [0.5],
        }
        facts: dict[str, str | int] = {
            protocol.SCHEMA: protocol.schema_hash(self.tensors),
            protocol.PHASE: FULL,
            protocol.ROUND: ROUND,
        }
        return RecordDict(
            {
                protocol.PROMPTS: ArrayRecord(moved),
                protocol.METRICS: MetricRecord(dict(metrics)),
                protocol.CONFIG: ConfigRecord(dict(facts)),
            }
        )

    def reply(self, content: RecordDict | Error, node: int = 1000 + LIAR) -> Message:
        """What a node sends back."""
        asked = Message(RecordDict(), dst_node_id=node, message_type=MessageType.TRAIN)
        return Message(content, reply_to=asked)

    def sound(self, client: int) -> Message:
        """A reply that counts."""
        return self.reply(self.content(client), 1000 + client)


Malform: TypeAlias = Callable[[Round, random.Random], Message]


def _changed(change: Callable[[RecordDict, random.Random], None]) -> Malform:
    """A sound reply of the liar with one thing changed."""

    def malform(round: Round, draw: random.Random) -> Message:
        content = round.content(LIAR)
        change(content, draw)
        return round.reply(content)

    return malform


def _array(change: Callable[[np.ndarray, random.Random], np.ndarray]) -> Malform:
    """One tensor's numbers changed."""

    def swap(content: RecordDict, draw: random.Random) -> None:
        prompts = content.array_records[protocol.PROMPTS]
        name = draw.choice(list(prompts))
        prompts[name] = Array(np.asarray(change(prompts[name].numpy().copy(), draw)))

    return _changed(swap)


def _data(change: Callable[[bytes, random.Random], bytes]) -> Malform:
    """One tensor's bytes changed."""

    def swap(content: RecordDict, draw: random.Random) -> None:
        prompts = content.array_records[protocol.PROMPTS]
        name = draw.choice(list(prompts))
        old = prompts[name]
        prompts[name] = Array(old.dtype, old.shape, old.stype, change(old.data, draw))

    return _changed(swap)


def _put(values: tuple[float, ...]) -> Malform:
    def change(numbers: np.ndarray, draw: random.Random) -> np.ndarray:
        numbers.flat[draw.randrange(numbers.size)] = draw.choice(values)
        return numbers

    return _array(change)


def _metric(key: str, values: tuple[Any, ...]) -> Malform:
    """One metric is another value; None: absent."""

    def change(content: RecordDict, draw: random.Random) -> None:
        _set(content.metric_records[protocol.METRICS], key, draw.choice(values))

    return _changed(change)


def _fact(key: str, values: tuple[Any, ...]) -> Malform:
    def change(content: RecordDict, draw: random.Random) -> None:
        _set(content.config_records[protocol.CONFIG], key, draw.choice(values))

    return _changed(change)


def _set(record: Any, key: str, value: Any) -> None:
    if value is None:
        del record[key]
    else:
        record[key] = value


def _another_record(content: RecordDict, draw: random.Random) -> None:
    records = (ConfigRecord({"a": 1}), MetricRecord({"a": 1}), ArrayRecord())
    other: ConfigRecord | MetricRecord | ArrayRecord = draw.choice(records)
    name = draw.choice(list(content))
    if type(other) is not type(content[name]) or name == protocol.METRICS:
        content[name] = other
    else:
        del content[name]


def _no_records(content: RecordDict, draw: random.Random) -> None:
    for name in draw.sample(list(content), draw.randint(1, 3)):
        del content[name]
    content[draw.choice(_WORDS)] = ConfigRecord({"a": 1})


def _missing(content: RecordDict, draw: random.Random) -> None:
    prompts = content.array_records[protocol.PROMPTS]
    for name in draw.sample(list(prompts), draw.randint(1, len(prompts))):
        del prompts[name]


def _extra(content: RecordDict, draw: random.Random) -> None:
    prompts = content.array_records[protocol.PROMPTS]
    prompts[draw.choice(_WORDS) + str(draw.random())] = Array(np.ones(3, np.float32))


def _shape(numbers: np.ndarray, draw: random.Random) -> np.ndarray:
    changed = (
        numbers[np.newaxis],
        np.concatenate([numbers.ravel(), numbers.ravel()]),
        numbers.ravel()[: numbers.size - 1],
        np.zeros((0, *numbers.shape), np.float32),
    )
    return draw.choice(changed)


def _dtype(numbers: np.ndarray, draw: random.Random) -> np.ndarray:
    kinds = ("f2", "f8", "i1", "i4", "i8", "u1", "u8", "?", "c8", "c16", "S3", "U3", ">f4", "M8[s]")
    with np.errstate(all="ignore"):
        return numbers.astype(draw.choice(kinds))


def _other_header(data: bytes, draw: random.Random) -> bytes:
    """A header that promises more numbers than there are, up to more than any memory holds."""
    buffer = io.BytesIO()
    sizes = tuple(draw.choice((7, 10**6, 10**9, 10**12)) for _ in range(draw.randint(1, 3)))
    described = {"descr": draw.choice(("<f4", "|O")), "fortran_order": False, "shape": sizes}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue() + data[128:]


def _pickled(data: bytes, draw: random.Random) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": draw.random()}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _serialised(content: RecordDict, draw: random.Random) -> None:
    prompts = content.array_records[protocol.PROMPTS]
    name = draw.choice(list(prompts))
    old = prompts[name]
    prompts[name] = Array(old.dtype, old.shape, draw.choice(("", "pickle", "torch")), old.data)


def _steps(content: RecordDict, draw: random.Random) -> None:
    name = protocol.STEP_PREFIX + draw.choice(("loss", "x" * 500, "\n", "=cmd()"))
    values: tuple[Any, ...] = (0.5, 3, [float("nan")], [0.5, float("inf")], [10**400])
    value = draw.choice(values) if name == "step-loss" else [0.5]
    content.metric_records[protocol.METRICS][name] = value


def _error(round: Round, draw: random.Random) -> Message:
    return round.reply(Error(code=draw.randint(0, 300), reason=draw.choice(_WORDS)))


def _other_node(round: Round, draw: random.Random) -> Message:
    return round.reply(round.content(LIAR), draw.choice((1000, 1001, 7, 2**60)))


def _of_another(round: Round, draw: random.Random) -> Message:
    """The liar's node answers in the name of another client."""
    return round.reply(round.content(draw.randrange(SOUND_CLIENTS)))


def _twice(round: Round, draw: random.Random) -> Message:
    """A second reply of a sound client."""
    return round.sound(draw.randrange(SOUND_CLIENTS))


_NO_NUMBERS: tuple[Any, ...] = (None, float("nan"), float("inf"), [], [1.5], 10**400, -(10**400))
KINDS: Mapping[str, Malform] = {
    "record of another type": _changed(_another_record),
    "record missing": _changed(_no_records),
    "tensor missing": _changed(_missing),
    "tensor too many": _changed(_extra),
    "shape": _array(_shape),
    "type of number": _array(_dtype),
    "NaN": _put((float("nan"),)),
    "infinite": _put((float("inf"), float("-inf"))),
    "huge": _put((1e6, -1e12, 1e30, 3.4e38, -3.4e38)),
    "truncated": _data(lambda data, draw: data[: draw.randrange(len(data))]),
    "too many bytes": _data(lambda data, draw: data + draw.randbytes(1 << 20)),
    "other bytes": _data(lambda data, draw: draw.randbytes(draw.randrange(len(data)))),
    "header of another array": _data(_other_header),
    "pickled": _data(_pickled),
    "serialisation": _changed(_serialised),
    "schema hash": _fact(
        protocol.SCHEMA, (None, "", "feed", "0" * 16, b"\x00", 7, 0.5, "f" * 10**5)
    ),
    "round": _fact(protocol.ROUND, (None, 0, 2, 4, -3, 10**30, 3.0, "3", [3])),
    "next phase": _fact(protocol.PHASE, (None, 1, b"full", ["full"], *_WORDS)),
    "phase": _metric(protocol.PHASE_NUMBER, (1, 7, -1, *_NO_NUMBERS)),
    "claimed images": _metric(protocol.NUM_EXAMPLES, (0, -1, 51, 2**62, 49.5, *_NO_NUMBERS)),
    "partition id": _metric(protocol.PARTITION_ID, (5, -1, 2**62, 4.0, *_NO_NUMBERS)),
    "loss": _metric(protocol.TRAIN_LOSS, _NO_NUMBERS),
    "seconds": _metric(protocol.SECONDS, _NO_NUMBERS),
    "steps": _changed(_steps),
    "error": _error,
    "another node": _other_node,
    "another's name": _of_another,
    "second reply": _twice,
}
