"""Which changes make one client fit on a device where it does not: they are tried."""

from collections.abc import Callable, Iterator, Mapping

import torch

from fedmvp_core.backbone.abilities import bfloat16_problem
from fedmvp_core.config import RunConfig, Scalar
from simulations.runner.client_cost import ClientCost, measure_client

Changes = Mapping[str, Scalar]  # by field name


def what_fits(
    config: RunConfig, clients: int, device: torch.device, fits: Callable[[ClientCost], bool]
) -> list[tuple[Changes, ClientCost]]:
    """Changes with which a client fits, and what it costs then; [] if nothing helps.

    Each way to keep less is tried by itself, both together if neither is enough, and the largest
    batch that fits with nothing else changed; if there is none, the largest with all of them.

    Raises:
        FedMVPError: the run could not start.
    """

    def tried(*ways: Changes) -> list[tuple[Changes, ClientCost]]:
        costs = ((way, measure_client(config.with_values(**way), clients)) for way in ways)
        return [(way, cost) for way, cost in costs if fits(cost)]

    def first(ways: Iterator[Changes]) -> list[tuple[Changes, ClientCost]]:
        return next((found for way in ways if (found := tried(way))), [])

    ways = ways_to_keep_less(config, device)
    together: Changes = {key: value for way in ways for key, value in way.items()}
    found = tried(*ways)
    if not found and len(ways) > 1:
        found = tried(together)
    found += first({"batch_size": batch} for batch in _halves(config.training.batch_size))
    return found or first(
        {**together, "batch_size": batch} for batch in _halves(config.training.batch_size)
    )


def ways_to_keep_less(config: RunConfig, device: torch.device) -> list[Changes]:
    """What leaves the batch as it is: the faster way first."""
    ways: list[Changes] = []
    if config.federation.clients_per_batch > 1:
        ways.append({"clients_per_batch": 1})
    if config.model.precision == "fp32" and not bfloat16_problem(device):
        ways.append({"precision": "bf16"})
    if not config.model.activation_checkpointing:
        ways.append({"activation_checkpointing": True})
    return ways


def _halves(batch: int) -> Iterator[int]:
    while batch > 1:
        batch //= 2
        yield batch
