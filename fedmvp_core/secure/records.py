"""What the messages of secure aggregation hold, on both sides: plain values under these names.

Four questions to each client: for its public keys; for sealed shares of its secrets; to train, with
the shares that others sealed for it, answered by the masked vector; for shares of the others'.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.errors import WireError
from fedmvp_core.protocol import integer
from fedmvp_core.secure.party import PublicKeys

RECORD = "secure"  # ConfigRecord of a message, both ways
MASKED = "masked"  # the only tensor of a masked reply: int32 words
ASK_KEYS, ASK_SHARES, ASK_UNMASK = "secagg_keys", "secagg_shares", "secagg_unmask"
ATTEMPT, PARTITION_ID = "attempt", "partition-id"
CLIENTS, MOST_WEIGHT = "clients", "most-weight"  # of the scale
THRESHOLD = "threshold"
ALIVE, GONE = "alive", "gone"
KEYS, SEALED, SEEDS, MASKING = "keys", "sealed", "seeds", "masking"
# What a client may send under RECORD.
REPLIED = (
    ATTEMPT,
    PARTITION_ID,
    *(f"{n}-{part}" for n in (KEYS, SEALED, SEEDS, MASKING) for part in ("of", "bytes")),
)

Value: TypeAlias = str | int | list[int] | list[bytes]


def masked_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a masked reply holds instead of these tensors: their numbers and a weight, as words."""
    numbers = sum(value.numel() for value in tensors.values())
    return {MASKED: torch.zeros(numbers + 1, dtype=torch.int32)}


def table(name: str, entries: Mapping[int, bytes]) -> dict[str, Value]:
    """Bytes by client, as two lists of a record."""
    return {f"{name}-of": list(entries), f"{name}-bytes": list(entries.values())}


def read_table(record: Mapping[str, object], name: str, sender: str) -> dict[int, bytes]:
    """What `table` made.

    Raises:
        WireError: it is missing or something else.
    """
    found = read_list(record, f"{name}-of", int, sender)
    data = read_list(record, f"{name}-bytes", bytes, sender)
    if len(found) != len(data) or len(set(found)) < len(found):
        raise WireError(f"{sender}: '{name}' has {len(data)} entries for {len(found)} clients")
    return dict(zip(found, data, strict=True))


def read_clients(record: Mapping[str, object], name: str, sender: str) -> list[int]:
    """A list of partition ids; raises WireError when it is missing or something else."""
    return read_list(record, name, int, sender)


def read_list(record: Mapping[str, object], name: str, kind: type, sender: str) -> list:
    """A list of values of one type; raises WireError when it is missing or something else."""
    found = record.get(name)
    if not isinstance(found, list) or not all(type(value) is kind for value in found):
        raise WireError(f"{sender}: '{name}' is no list of {kind.__name__}")
    return list(found)


def read_attempt(record: Mapping[str, object], sender: str) -> str:
    """The name of an attempt at a round; raises WireError when there is none."""
    found = record.get(ATTEMPT)
    if not isinstance(found, str) or not found:
        raise WireError(f"{sender}: '{ATTEMPT}' names no attempt")
    return found


def keys_table(keys: Mapping[int, PublicKeys]) -> dict[str, Value]:
    """Public keys by client, as they travel."""
    return table(KEYS, {client: b"".join(public) for client, public in keys.items()})


def read_keys(record: Mapping[str, object], sender: str) -> dict[int, PublicKeys]:
    """What `keys_table` made; raises WireError when it is something else."""
    found = {}
    for client, data in read_table(record, KEYS, sender).items():
        if len(data) != 96:
            raise WireError(f"{sender}: the keys of client {client} have {len(data)} bytes")
        found[client] = PublicKeys(data[:32], data[32:64], data[64:])
    return found


def read_scale(record: Mapping[str, object], sender: str) -> tuple[int, int]:
    """How many clients may be in the sum, and the greatest weight of one.

    Raises:
        WireError: they are missing, or no whole numbers from 1.
    """
    clients, most = integer(record, CLIENTS, sender), integer(record, MOST_WEIGHT, sender)
    if clients < 1 or most < 1:
        raise WireError(f"{sender}: a scale of {clients} clients and weights up to {most}")
    return clients, most
