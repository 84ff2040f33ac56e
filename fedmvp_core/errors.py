"""Errors that a user can mend.

Each holds one sentence that names the thing, its value and what was allowed.
"""


class FedMVPError(Exception):
    """Base of every error that is shown without a traceback."""


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
