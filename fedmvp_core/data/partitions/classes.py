"""Rules that deal classes out: each to one client, to a few, or in uneven shares."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.config.options import Between, option
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.cut import CutOptions, cut_classes
from fedmvp_core.data.partitions.rows import require_one_label, rows_by_name
from fedmvp_core.errors import ConfigError, DataError
from fedmvp_core.seeding import derived_seed


@dataclass(frozen=True)
class PathologicalOptions:
    """Of `pathological`."""

    classes_per_client: Annotated[int, Between(1)] = option(2, "classes that each client holds")


@dataclass(frozen=True)
class DirichletOptions:
    """Of `dirichlet` and `dirichlet_labels`."""

    dirichlet_alpha: Annotated[float, Between(1e-3)] = option(
        0.5, "concentration: small is uneven, large is even"
    )


def disjoint_classes(
    images: ImageSet, clients: int, seed: int, options: CutOptions
) -> list[Tensor]:
    """A contiguous group of classes for each client (FedMVP, FedTPG), see cut.cut_classes.

    As published where the number of clients is FedMVP's (Caltech 20, 30; Flowers 20, 20, 11; Cars
    20, 20, 20, 20, 18), as equal as can be with any other.
    """
    require_one_label(images, "disjoint-classes")
    classes = images.labels.unique()
    if clients > len(classes):
        raise ConfigError(
            f"{clients} clients, but partition 'disjoint-classes' has {len(classes)} classes to "
            f"give; allowed: 1 to {len(classes)}"
        )
    groups = cut_classes(classes, clients, options.cut)
    return [torch.nonzero(torch.isin(images.labels, group)).flatten() for group in groups]


def pathological(
    images: ImageSet, clients: int, seed: int, options: PathologicalOptions
) -> list[Tensor]:
    """Each client holds `classes-per-client` classes; its holders share a class evenly.

    After McMahan et al. (2017), where each client gets two pieces of the digits sorted by class.
    Here every class has a holder, and the numbers of holders differ by one at most.
    """
    require_one_label(images, "pathological")
    classes = images.labels.unique().tolist()
    _check_classes_per_client(options.classes_per_client, len(classes), clients)
    draw = np.random.default_rng(derived_seed(seed, "partition"))
    holders: list[list[int]] = [[] for _ in classes]
    for client in range(clients):
        # Those with the fewest holders first, equals in random order.
        holding = np.array([len(held) for held in holders])
        order = np.lexsort((draw.random(len(classes)), holding))
        for position in order[: options.classes_per_client].tolist():
            holders[position].append(client)
    shards: list[list[Tensor]] = [[] for _ in range(clients)]
    order_of_rows = rows_by_name(images)
    for label, held in zip(classes, holders, strict=True):
        members = order_of_rows[images.labels[order_of_rows] == label]
        if len(members) < len(held):
            raise DataError(
                f"class '{images.class_names[label]}' has {len(members)} images for {len(held)} "
                "clients of partition 'pathological'; use fewer clients or classes-per-client"
            )
        members = members[torch.from_numpy(draw.permutation(len(members)))]
        for client, piece in zip(held, members.tensor_split(len(held)), strict=True):
            shards[client].append(piece)
    return [torch.cat(pieces).sort().values for pieces in shards]


def _check_classes_per_client(each: int, classes: int, clients: int) -> None:
    fewest = -(-classes // clients)
    if not fewest <= each <= classes:
        raise ConfigError(
            f"classes-per-client is {each}; allowed with {classes} classes and {clients} clients: "
            f"{fewest} (so that every class has a client) to {classes}"
        )


def dirichlet(images: ImageSet, clients: int, seed: int, options: DirichletOptions) -> list[Tensor]:
    """Each class is shared out by a draw from Dirichlet(dirichlet-alpha) (Hsu et al. 2019)."""
    require_one_label(images, "dirichlet")
    draw = np.random.default_rng(derived_seed(seed, "partition"))
    order = rows_by_name(images)
    shards: list[list[Tensor]] = [[] for _ in range(clients)]
    for label in images.labels.unique():
        members = order[images.labels[order] == label]
        members = members[torch.from_numpy(draw.permutation(len(members)))]
        shares = draw.dirichlet(np.full(clients, options.dirichlet_alpha))
        cuts = np.round(shares.cumsum()[:-1] * len(members)).astype(int)
        for shard, piece in zip(shards, members.tensor_split(cuts.tolist()), strict=True):
            shard.append(piece)
    return [torch.cat(pieces).sort().values for pieces in shards]
