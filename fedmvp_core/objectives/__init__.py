"""Losses, one a file. An objective maps a batch to the loss that a client minimises."""

from fedmvp_core.objectives.objective import Batch, Objective, Predict

__all__ = ["Batch", "Objective", "Predict"]
