"""Errors that a user can mend.

Each holds one sentence that names the thing, its value and what was allowed.
"""

import re


class FedMVPError(Exception):
    """Base of every error that is shown without a traceback."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ConfigError(FedMVPError):
    """A run configuration key is unknown, out of range, or contradicts another."""


class DataError(FedMVPError):
    """A picture, folder, table or shard cannot be used."""


class CheckpointError(FedMVPError):
    """Weights or prompt tensors on disk are missing, damaged, or of another schema."""


class StorageError(FedMVPError):
    """A disk is full."""


class WireError(FedMVPError):
    """A message between server and client does not hold what both agreed on."""


class AttackError(FedMVPError):
    """An attack got images, labels, a budget or a model that it cannot work with."""


class LockstepError(FedMVPError):
    """Code of a client that shares a batch with others does what it can only do alone."""


def printable(text: str) -> str:
    """What any terminal and file that takes UTF-8 takes: "\\xe9" for a byte that is no UTF-8.

    Such bytes are in names of files, where Python keeps them as lone surrogates.
    """
    bytewise = re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return bytewise.encode("utf-8", "backslashreplace").decode("utf-8")
