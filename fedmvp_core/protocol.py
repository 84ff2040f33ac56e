"""What server and client agree on: names of records and keys, and the schema of prompt tensors."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.errors import WireError

# Records of a message.
PROMPTS = "prompts"  # ArrayRecord: prompt tensors and nothing else
CONFIG = "config"  # ConfigRecord, server to client
METRICS = "metrics"  # MetricRecord, client to server
DESCRIPTION = "description"  # ConfigRecord, answer to a query

# Keys of CONFIG.
ROUND = "server-round"
SCHEMA = "schema-hash"
SOURCES = "source-hash"
SOURCE_FOLDER = "source-folder"
CLASS_NAMES = "class-names"  # JSON list: all classes that the federation trains on
PHASE = "phase"  # of training in this round; in a train reply's CONFIG: that of the client's next
TERMS = "client-terms"  # JSON list of [name, options]: client terms of this round
RUN_ID = "run-id"  # of the run, the same after it is resumed
STRATEGY_CONFIG = "strategy-config"  # JSON object: what a plugin's strategy tells clients
SCALES = "wire-scales"  # in a train reply's CONFIG with wire-dtype=int8: one a tensor, by name
CACHED_ROUND = "cached-round"  # the round whose tensors the server believes the client still holds

# Keys of METRICS. The answer to an evaluation has its headline too, "accuracy" or "map".
NUM_EXAMPLES = "num-examples"
PARTITION_ID = "partition-id"
TRAIN_LOSS = "train-loss"
SECONDS = "seconds"
PHASE_NUMBER = "phase"  # place of the trained phase among those of the method, from 0
IMAGES_ENCODED = "images-encoded"
SENTENCES_ENCODED = "sentences-encoded"
STEP_PREFIX = "step-"  # of what every step measured: a list of numbers, such as "step-loss"
STEP_METRIC = re.compile(re.escape(STEP_PREFIX) + r"[a-z0-9-]{1,40}")

# What a training reply says whatever the client holds, and what follows from its images.
ALWAYS = (PARTITION_ID, PHASE_NUMBER)
MEASURED = (TRAIN_LOSS, SECONDS, NUM_EXAMPLES, IMAGES_ENCODED, SENTENCES_ENCODED)

# Keys of DESCRIPTION; the rest of it is class and domain counts as JSON.
NUM_PARTITIONS = "num-partitions"
CLASSES = "classes"
DOMAINS = "domains"
ERROR = "error"

Scalar: TypeAlias = bool | int | float | str
SCALARS = (bool, int, float, str)
_SHOWN = 80  # letters of a received value in a sentence about it


def schema_hash(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, shapes and types in their order."""
    lines = [f"{name} {tuple(value.shape)} {value.dtype}" for name, value in tensors.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def check_schema(expected: str, found: str, sender: str) -> None:
    """Raises WireError when two schema hashes differ."""
    if expected != found:
        raise WireError(
            f"{sender} has prompt tensors of schema {found}, expected {expected}: method, backbone "
            "or prompt sizes differ"
        )


def decoded(decode: Callable[[], dict[str, Tensor]], sender: str) -> dict[str, Tensor]:
    """The tensors of a record of arrays, whose decoding is Flower's.

    Raises:
        WireError: an array cannot be read as numbers.
    """
    try:
        return decode()
    # What NumPy raises of bytes that are no array is not documented; all of it means the same.
    except Exception as error:
        raise WireError(f"{sender}: a prompt tensor cannot be read: {error}") from error


def check_prompt_tensors(
    received: Mapping[str, Tensor], schema: Mapping[str, Tensor], names: Iterable[str], sender: str
) -> None:
    """Compare what was received with the tensors that must be there.

    Raises:
        WireError: see `check_layout` and `check_finite`.
    """
    check_layout(received, schema, names, sender)
    check_finite(received, sender)


def check_layout(
    received: Mapping[str, Tensor], schema: Mapping[str, Tensor], names: Iterable[str], sender: str
) -> None:
    """Compare names, shapes and types with the tensors that must be there.

    Raises:
        WireError: tensors are missing, unknown, of another shape or type; the first offenders are
            named.
    """
    wanted = set(names)
    missing, extra = sorted(wanted - set(received)), sorted(set(received) - wanted)
    if missing or extra:
        parts = [f"lacks {', '.join(missing[:5])}"] if missing else []
        parts += [f"holds unexpected {', '.join(extra[:5])}"] if extra else []
        raise WireError(
            f"{sender}: the message {' and '.join(parts)}; expected {len(wanted)} tensors"
        )
    for name, value in received.items():
        if value.shape != schema[name].shape or value.dtype != schema[name].dtype:
            raise WireError(
                f"{sender}: prompt tensor '{name}' is {tuple(value.shape)} {value.dtype}, "
                f"expected {tuple(schema[name].shape)} {schema[name].dtype}"
            )


def check_finite(tensors: Mapping[str, Tensor], sender: str) -> None:
    """Raises WireError when a tensor holds NaN or infinity."""
    for name, value in tensors.items():
        if not _all_finite(value):
            raise WireError(f"{sender}: prompt tensor '{name}' holds NaN or infinite numbers")


def _all_finite(tensor: Tensor) -> bool:
    """In one pass, where `isfinite` writes a tensor of answers first: both ends show NaN."""
    if not tensor.numel() or not tensor.is_floating_point():
        return True
    return all(math.isfinite(end) for end in torch.stack(torch.aminmax(tensor)).tolist())


def integer(record: Mapping[str, object], key: str, sender: str) -> int:
    """A whole number out of a record.

    Raises:
        WireError: the key is missing or holds something else.
    """
    value = record.get(key)
    if not isinstance(value, int):
        raise WireError(f"{sender}: '{key}' is {_short(value)}; expected a whole number")
    return int(value)


def class_names_text(names: Iterable[str]) -> str:
    """Class names as they travel; `names_of` reads them."""
    return json.dumps(list(names), ensure_ascii=False)


def names_of(record: Mapping[str, object], key: str, sender: str) -> tuple[str, ...]:
    """A list of names out of a record.

    Raises:
        WireError: the key is missing or holds something else.
    """
    found = _json(record.get(key))
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise WireError(f"{sender}: '{key}' is {_short(record.get(key))}; expected a list of names")
    return tuple(found)


def counts_of(record: Mapping[str, object], key: str, sender: str) -> dict[str, int]:
    """Numbers of images by name out of a record; none where the key is missing.

    Raises:
        WireError: the key holds something else.
    """
    found = _json(record.get(key, "{}"))
    if not isinstance(found, dict) or not all(
        type(count) is int and count >= 0 for count in found.values()
    ):
        raise WireError(f"{sender}: '{key}' is {_short(record[key])}; expected counts by name")
    return found


def terms_of(record: Mapping[str, object], sender: str) -> list[tuple[str, str]]:
    """The client terms that a record names, each with its options; none where the key is missing.

    Raises:
        WireError: the key holds something else.
    """
    found = _json(record.get(TERMS, "[]"))
    pairs: list[tuple[str, str]] = []
    for pair in found if isinstance(found, list) else [found]:
        if not (isinstance(pair, list) and [type(word) for word in pair] == [str, str]):
            raise WireError(f"{sender}: '{TERMS}' is {_short(record[TERMS])}; expected pairs")
        pairs.append((pair[0], pair[1]))
    return pairs


def run_id_of(record: Mapping[str, object], sender: str) -> str:
    """The run's id, which names a folder at the client.

    Raises:
        WireError: it is missing, or holds other letters than an id may.
    """
    found = record.get(RUN_ID)
    if not isinstance(found, str) or not re.fullmatch("[0-9a-f]{8,64}", found):
        raise WireError(f"{sender}: '{RUN_ID}' is {_short(found)}; expected hexadecimal digits")
    return found


def strategy_config_of(record: Mapping[str, object], sender: str) -> dict[str, Scalar]:
    """What a plugin's strategy tells clients; nothing where the key is missing.

    Raises:
        WireError: the key holds something else than an object of plain values.
    """
    found = _json(record.get(STRATEGY_CONFIG, "{}"))
    if not isinstance(found, dict) or not all(isinstance(v, SCALARS) for v in found.values()):
        raise WireError(f"{sender}: '{STRATEGY_CONFIG}' is {_short(record[STRATEGY_CONFIG])}")
    return found


def _json(text: object) -> object:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None


def word(record: Mapping[str, object], key: str, allowed: Collection[str], sender: str) -> str:
    """One of some words out of a record; raises WireError when it holds something else."""
    return one_of(record.get(key), allowed, key, sender)


def one_of(value: object, allowed: Collection[str], key: str, sender: str) -> str:
    """The value of a key, if it is one of some words; else raises WireError."""
    if not isinstance(value, str) or value not in allowed:
        raise WireError(f"{sender}: '{key}' is {_short(value)}; expected {' or '.join(allowed)}")
    return value


def number(record: Mapping[str, object], key: str, sender: str) -> float:
    """A finite number out of a record.

    Raises:
        WireError: the key is missing, or holds NaN, infinity or something else.
    """
    value = record.get(key)
    if not _is_finite(value):
        raise WireError(f"{sender}: '{key}' is {_short(value)}; expected a finite number")
    return float(value)  # type: ignore[arg-type]


def numbers(record: Mapping[str, object], key: str, sender: str) -> list[float]:
    """A list of finite numbers out of a record.

    Raises:
        WireError: the key is missing, or holds something else.
    """
    values = record.get(key)
    if not isinstance(values, list) or not all(map(_is_finite, values)):
        raise WireError(f"{sender}: '{key}' is not a list of finite numbers")
    return [float(value) for value in values]


def _is_finite(value: object) -> bool:
    """Whether it is a number that a float can hold; whole numbers may be larger."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def _short(value: object) -> str:
    """A value as a sentence about it shows it; numbers of thousands of digits have no text."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of more than 128 bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def num_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of the numbers alone, without the envelope."""
    return sum(value.numel() * value.element_size() for value in tensors.values())
