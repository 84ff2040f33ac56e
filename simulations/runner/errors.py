"""What can go wrong outside the configuration."""

from fedmvp_core.errors import DataError, FedMVPError


class EngineError(FedMVPError):
    """Flower or Ray could not be started, or refused the run."""


class OtherPicturesError(DataError):
    """The pictures of a run are gone, or what is in their place makes other splits."""


class RunFailedError(FedMVPError):
    """The run ended without completing; its folder says more."""
