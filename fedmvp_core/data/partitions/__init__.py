"""Rules that cut training images into shards.

A rule is a function, found by its name in the entry-point group "fedmvp.partitions":

    rule(images: ImageSet, clients: int, seed: int) -> list[Tensor]
    rule(images: ImageSet, clients: int, seed: int, options: MyOptions) -> list[Tensor]

It returns the positions of each client's images, one (k,) int64 tensor for each client. The type of
its parameter `options`, if it has one, is its options class (config/options.py).

Our rules give every image to exactly one client. Which images a client gets depends on their names,
labels and domains, and on the seed, not on the order in which they were read.

disjoint-classes, by-domain-and-class  the papers' rules for images with one label
pathological, dirichlet                uneven classes
by-domain, iid                         for any images
kmeans-labels, dirichlet-labels        for images with several labels
"""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from fedmvp_core.config import DataSection, dataset_names
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.classes import dirichlet, disjoint_classes, pathological
from fedmvp_core.data.partitions.domains import by_domain, by_domain_and_class, iid
from fedmvp_core.data.partitions.labels import dirichlet_labels, kmeans_labels
from fedmvp_core.data.partitions.several import cut_each
from fedmvp_core.data.plugins import with_options
from fedmvp_core.errors import DataError
from fedmvp_core.registry import PARTITIONS

__all__ = [
    "PartitionRule",
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

# A rule whose options, if it has some, are bound.
PartitionRule: TypeAlias = Callable[[ImageSet, int, int], list[Tensor]]


def partition(images: ImageSet, clients: int, data: DataSection, seed: int) -> list[Tensor]:
    """Cut `images` by the configured rule; those of several data sets one by one, see several.py.

    Returns: the positions of each client's images, one (k,) int64 tensor for each.
    Raises:
        ConfigError: the rule cannot serve that many clients, or images of that kind; or one of its
            options is unknown or out of range.
        DataError: there are no images, or a client would hold none.
    """
    if len(images) == 0:
        raise DataError(f"there are no training images to part among {clients} clients")
    rule: PartitionRule = with_options(PARTITIONS, data.partition, data.partition_options)
    if len(dataset_names(data)) > 1:
        shards = cut_each(rule, images, clients, seed)
    else:
        shards = rule(images, clients, seed)
    empty = [str(client) for client, shard in enumerate(shards) if len(shard) == 0]
    if empty:
        raise DataError(
            f"partition '{data.partition}' leaves clients {', '.join(empty)} of {clients} "
            f"without images; use fewer clients than {clients}, or another partition"
        )
    return shards
