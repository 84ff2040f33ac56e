"""Rules that cut training images into shards: positions of each client's images.

A rule gets the images, the number of clients and the run's configuration, and returns one (k,)
int64 tensor of positions for each client. Every image goes to exactly one client of ours. Which
images a client gets depends on their names, labels and domains, and on the seed, not on the order
in which they were read.

disjoint-classes, by-domain-and-class  the papers' rules for images with one label
pathological, dirichlet                uneven classes
by-domain, iid                         for any images
kmeans-labels, dirichlet-labels        for images with several labels
"""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from fedmvp_core.config import RunConfig, dataset_names
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.classes import dirichlet, disjoint_classes, pathological
from fedmvp_core.data.partitions.domains import by_domain, by_domain_and_class, iid
from fedmvp_core.data.partitions.labels import dirichlet_labels, kmeans_labels
from fedmvp_core.data.partitions.several import cut_each
from fedmvp_core.errors import DataError
from fedmvp_core.registry import PARTITIONS, find

__all__ = [
    "Partition",
    "by_domain",
    "by_domain_and_class",
    "dirichlet",
    "dirichlet_labels",
    "disjoint_classes",
    "iid",
    "kmeans_labels",
    "partition",
    "pathological",
]

Partition: TypeAlias = Callable[[ImageSet, int, RunConfig], list[Tensor]]


def partition(images: ImageSet, clients: int, config: RunConfig) -> list[Tensor]:
    """Cut `images` by the configured rule; those of several data sets one by one, see several.py.

    Raises:
        ConfigError: the rule cannot serve that many clients, or images of that kind.
        DataError: there are no images, or a client would hold none.
    """
    if len(images) == 0:
        raise DataError(f"there are no training images to part among {clients} clients")
    rule: Partition = find(PARTITIONS, config.data.partition)
    if len(dataset_names(config)) > 1:
        shards = cut_each(rule, images, clients, config)
    else:
        shards = rule(images, clients, config)
    empty = [str(client) for client, shard in enumerate(shards) if len(shard) == 0]
    if empty:
        raise DataError(
            f"partition '{config.data.partition}' leaves clients {', '.join(empty)} of {clients} "
            f"without images; use fewer clients than {clients}, or another partition"
        )
    return shards
