"""Real numbers as 32-bit words whose sums do not wrap, and what rounding does to a mean.

A client's vector is its clipped update times its share of the greatest weight, each number rounded
to the nearest multiple of a step, and at the end its weight as it is. So the server has the sum of
weighted updates and the sum of weights, and divides one by the other as FedAvg does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.errors import ConfigError, WireError
from fedmvp_core.secure.masks import Words

RING = 2**32
_SLACK = 1 + 1e-6  # of float64, in which numbers are scaled before they are rounded


@dataclass(frozen=True)
class Scale:
    """How the numbers of a round become words.

    clipping_norm: no number of an update is longer than the whole update may be. clients: that may
    be in the sum. most_weight: of a client, a whole number from 1.

    Raises:
        ConfigError: so many clients of so great a weight have no room in 32 bits.
    """

    clipping_norm: float
    clients: int
    most_weight: int

    def __post_init__(self) -> None:
        if self.clients * self.most_weight >= RING // 2:
            raise ConfigError(
                f"secure-aggregation adds up {self.clients} clients of up to {self.most_weight} "
                f"images; allowed: {RING // 2 - 1} images in all, or weighting=uniform"
            )

    @property
    def largest(self) -> int:
        """The largest word of one client, such that a sum over all stays below half the ring."""
        return int((RING // 2 - 1) // self.clients)

    @property
    def step(self) -> float:
        """Of two numbers that can be told apart, in weighted updates."""
        return self.clipping_norm / self.largest

    def error_bound(self, clients: int, weight: float) -> float:
        """How far a number of the mean over so many clients of this weight can be off.

        Each client's number is off by half a step at most, times the greatest weight, over the sum
        of weights: with weights of 1 half a step, however many clients there are.
        """
        return clients * self.step / 2 * self.most_weight / weight * _SLACK


def words_of(update: Mapping[str, Tensor], weight: int, scale: Scale) -> Words:
    """(numbers + 1,): a clipped update's words, and its weight.

    update: float64 tensors.

    Raises:
        WireError: a number is not finite or longer than the clipping norm, or the weight is not
            between 1 and the greatest one: nobody could see it in the sum.
    """
    if not 1 <= weight <= scale.most_weight:
        raise WireError(f"this client's weight is {weight}; allowed: 1 to {scale.most_weight}")
    numbers = torch.cat([value.reshape(-1) for value in update.values()]).numpy()
    steps = np.rint(numbers * (weight / scale.most_weight / scale.step))
    norm = float(np.linalg.norm(numbers))
    # Written so that NaN, which compares with nothing, is refused too.
    if not (norm <= scale.clipping_norm * _SLACK and np.abs(steps).max() <= scale.largest):
        raise WireError(
            f"this client's update has norm {norm:g}; allowed: up to {scale.clipping_norm:g} "
            "(clipping-norm)"
        )
    return np.append(steps, weight).astype(np.int64).astype(np.uint32)


def mean_of(
    total: Words, like: Mapping[str, Tensor], clients: int, scale: Scale
) -> tuple[dict[str, Tensor], int]:
    """The weighted mean update, float64 tensors of these names and shapes, and the sum of weights.

    total: the sum of the words of so many clients, without any mask.

    Raises:
        WireError: it is no such sum, so that some client's words or shares were wrong.
    """
    signed = total.view(np.int32)
    weight = int(signed[-1])
    most = int(np.abs(signed[:-1].astype(np.int64)).max())
    if not clients <= weight <= clients * scale.most_weight or most > clients * scale.largest:
        raise WireError(f"the sum over {clients} clients does not come out: a mask is left in it")
    numbers = torch.from_numpy(signed[:-1] * (scale.step * scale.most_weight / weight))
    sizes = [value.numel() for value in like.values()]
    parts = zip(like.items(), numbers.split(sizes), strict=True)
    return {name: part.reshape(value.shape) for (name, value), part in parts}, weight
