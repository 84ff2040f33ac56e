"""What can go wrong outside the configuration."""

from fedmvp_core.errors import FedMVPError


class EngineError(FedMVPError):
    """Flower or Ray could not be started, or refused the run."""


class RunFailedError(FedMVPError):
    """The run ended without completing; its folder says more."""
