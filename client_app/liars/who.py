"""Which clients lie."""

import torch

from client_app.node import Holding
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.seeding import generator


def liars(config: RunConfig, clients: int) -> frozenset[int]:
    """Partition ids of the clients that lie: stress-fraction of them, rounded, drawn by seed."""
    order = torch.randperm(clients, generator=generator(config.run.seed, "liars"))
    return frozenset(order[: config.stress.liars(clients)].tolist())


def lies(config: RunConfig, holding: Holding) -> bool:
    """Whether this client is one of the liars.

    Raises:
        ConfigError: the client does not know how many there are, so that none can be drawn.
    """
    if config.stress.stress_attack == "none":
        return False
    if not holding.partitions:
        raise ConfigError(
            f"stress-attack is '{config.stress.stress_attack}', but partition is "
            f"'{config.data.partition}'; allowed with it: none"
        )
    return holding.partition_id in liars(config, holding.partitions)


def replacing(config: RunConfig, clients: int) -> float:
    """By what the liars must lengthen what they send to have the mean of a whole cohort alone.

    Model replacement: Bagdasaryan et al., How To Backdoor Federated Learning, AISTATS 2020, eq. 3.
    """
    return clients / max(1, config.stress.liars(clients))
