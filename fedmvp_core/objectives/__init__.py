"""What a client minimises, one objective a file, under its paper's name.

Any method can be trained with any of them: `objective=trades`; a method names its default.
"""

from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective

__all__ = ["Batch", "Loss", "LossFunction", "Objective"]
