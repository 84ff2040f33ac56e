"""The Gaussian mechanism on prompt tensors, at the server and at the client.

An update is what training changed, over all tensors that are sent, clipped as one vector (McMahan
et al., Learning Differentially Private Recurrent Language Models, ICLR 2018, algorithm 1: flat
clipping). Flower's own functions divide by zero where nothing changed, leave tensors without
dimensions unclipped, draw their noise from numpy's global generator, and want every client to send
every tensor, which a client in the LoRA phase does not.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from fedmvp_core.privacy.noise import Draw

# How far one client's data can move what is released, in clipping norms. Central: the client is
# added or removed, its clipped update appears in the sum or does not. Local: its whole data is
# replaced by any other, so its update goes from one end of the ball to the opposite one.
CENTRAL_SENSITIVITY, LOCAL_SENSITIVITY = 1.0, 2.0


def clipped_update(
    trained: Mapping[str, Tensor], received: Mapping[str, Tensor], clipping_norm: float
) -> dict[str, Tensor]:
    """trained - received, scaled down together to an L2 norm of at most `clipping_norm`.

    received may hold more tensors than trained. Returns: float64 tensors, under trained's names.
    """
    update = {
        name: value.to(torch.float64) - received[name].to(torch.float64)
        for name, value in trained.items()
    }
    norm = math.sqrt(sum(float(value.square().sum()) for value in update.values()))
    scale = 1.0 if norm <= clipping_norm else clipping_norm / norm
    return {name: value * scale for name, value in update.items()}


def private_mean(
    updates: Iterable[Mapping[str, Tensor]],
    current: Mapping[str, Tensor],
    names: Sequence[str],
    cohort: int,
    clipping_norm: float,
    noise_multiplier: float,
    draw: Draw,
) -> dict[str, Tensor]:
    """Central privacy: the current tensors plus the noised sum of clipped updates over `cohort`.

    Neither what is divided by nor which tensors get noise may follow from who answered with what:
    `cohort` is how many were asked, `names` are all tensors that anybody may send in the run. A
    tensor that a client did not send counts as unchanged by it.

    Returns: `names` only, of the current tensors' types; private for adding or removing a client,
    with noise of standard deviation noise_multiplier * clipping_norm on the sum.
    """
    total = {name: torch.zeros(current[name].shape, dtype=torch.float64) for name in names}
    for update in updates:
        for name, value in clipped_update(update, current, clipping_norm).items():
            total[name] += value
    deviation = noise_multiplier * CENTRAL_SENSITIVITY * clipping_norm
    return {
        name: (current[name] + (value + deviation * draw(value.shape)) / cohort).to(
            current[name].dtype
        )
        for name, value in total.items()
    }


def private_update(
    trained: Mapping[str, Tensor],
    received: Mapping[str, Tensor],
    clipping_norm: float,
    noise_multiplier: float,
    draw: Draw,
) -> dict[str, Tensor]:
    """Local privacy: the received tensors plus the clipped and noised update, for one client.

    Returns: trained's names and types; private for replacing all data of the client, with noise of
    standard deviation noise_multiplier * 2 * clipping_norm.
    """
    deviation = noise_multiplier * LOCAL_SENSITIVITY * clipping_norm
    return {
        name: (received[name] + value + deviation * draw(value.shape)).to(trained[name].dtype)
        for name, value in clipped_update(trained, received, clipping_norm).items()
    }
