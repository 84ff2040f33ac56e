"""Rules that cut training images into shards: positions of each client's images.

A rule gets the images, the number of clients and the run's configuration, and returns one (k,)
int64 tensor of positions for each client. Every image goes to at most one client.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.registry import PARTITIONS, find
from fedmvp_core.seeding import derived_seed, generator

Partition: TypeAlias = Callable[[ImageSet, int, RunConfig], list[Tensor]]


def partition(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """Cut `images` by the configured rule.

    Raises:
        ConfigError: the rule cannot serve that many clients.
        DataError: there are no images, or a client would hold none.
    """
    if len(images) == 0:
        raise DataError(f"there are no training images to part among {clients} clients")
    rule: Partition = find(PARTITIONS, config.partition)
    shards = rule(images, clients, config)
    empty = [str(client) for client, shard in enumerate(shards) if len(shard) == 0]
    if empty:
        raise DataError(
            f"partition '{config.partition}' leaves clients {', '.join(empty)} of {clients} "
            f"without images; use fewer clients than {clients}, or another partition"
        )
    return shards


def disjoint_classes(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """Contiguous groups of classes, as equal as can be, one client a class (FedMVP, FedTPG)."""
    classes = images.labels.unique()
    if clients > len(classes):
        raise ConfigError(
            f"{clients} clients, but partition 'disjoint-classes' has {len(classes)} classes to "
            f"give; allowed: 1 to {len(classes)}"
        )
    groups = torch.tensor_split(classes, clients)
    return [torch.nonzero(torch.isin(images.labels, group)).flatten() for group in groups]


def by_domain(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """A domain at one client; with k times as many clients, each is dealt out to k of them."""
    domains = sorted(set(images.domains))
    if clients % len(domains):
        raise ConfigError(
            f"{clients} clients, but partition 'by-domain' has {len(domains)} domains "
            f"({', '.join(name or 'unnamed' for name in domains)}); "
            f"allowed: a multiple of {len(domains)}"
        )
    each = clients // len(domains)
    shards = []
    for domain in domains:
        members = torch.tensor([i for i, name in enumerate(images.domains) if name == domain])
        order = torch.randperm(
            len(members), generator=generator(config.seed, f"partition {domain}")
        )
        shards += [members[order[start::each]].sort().values for start in range(each)]
    return shards


def iid(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """A shuffled deal."""
    order = torch.randperm(len(images), generator=generator(config.seed, "partition"))
    return [order[start::clients].sort().values for start in range(clients)]


def dirichlet(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """Each class is shared out by a draw from Dirichlet(dirichlet-alpha) (Hsu et al. 2019)."""
    draw = np.random.default_rng(derived_seed(config.seed, "partition"))
    shards: list[list[Tensor]] = [[] for _ in range(clients)]
    for label in images.labels.unique():
        members = torch.nonzero(images.labels == label).flatten()
        members = members[torch.from_numpy(draw.permutation(len(members)))]
        shares = draw.dirichlet(np.full(clients, config.dirichlet_alpha))
        cuts = np.round(shares.cumsum()[:-1] * len(members)).astype(int)
        for shard, piece in zip(shards, members.tensor_split(cuts.tolist()), strict=True):
            shard.append(piece)
    return [torch.cat(pieces).sort().values for pieces in shards]
