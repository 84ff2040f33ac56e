"""Losses, one a file. An objective maps a batch to the loss that a client minimises."""

from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict

__all__ = ["Batch", "Loss", "Objective", "Predict"]
