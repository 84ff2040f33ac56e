"""Rules for images with several labels: clusters of label sets, and uneven shares of labels."""

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.classes import DirichletOptions
from fedmvp_core.data.partitions.kmeans import kmeans
from fedmvp_core.data.partitions.rows import label_vectors, rows_by_name
from fedmvp_core.errors import ConfigError
from fedmvp_core.seeding import derived_seed


def kmeans_labels(images: ImageSet, clients: int, seed: int) -> list[Tensor]:
    """Clusters of images that have labels in common, one a client (FedMPT's OpenFedML).

    k-means on the softmax of the label vectors. Images with the same labels are one point that
    weighs as much as there are of them, so that they stay together.
    """
    vectors = label_vectors(images)
    distinct, point_of, counts = np.unique(vectors, axis=0, return_inverse=True, return_counts=True)
    if clients > len(distinct):
        raise ConfigError(
            f"{clients} clients, but the images have {len(distinct)} different sets of labels to "
            f"cluster; allowed with partition 'kmeans-labels': 1 to {len(distinct)}"
        )
    powers = np.exp(distinct)
    points = powers / powers.sum(axis=1, keepdims=True)
    draw = np.random.default_rng(derived_seed(seed, "partition"))
    cluster_of = torch.from_numpy(kmeans(points, counts, clients, draw)[point_of.reshape(-1)])
    return [torch.nonzero(cluster_of == client).flatten() for client in range(clients)]


def dirichlet_labels(
    images: ImageSet, clients: int, seed: int, options: DirichletOptions
) -> list[Tensor]:
    """Each label has a share for each client; an image's client is drawn from its labels' shares.

    The shares of a label are a draw from Dirichlet(dirichlet-alpha), as in `dirichlet`. The client
    of an image is drawn from the mean of the shares of its labels; all clients are equally likely
    for an image without labels.
    """
    draw = np.random.default_rng(derived_seed(seed, "partition"))
    order = rows_by_name(images)
    vectors = label_vectors(images)[order.numpy()]
    shares = draw.dirichlet(np.full(clients, options.dirichlet_alpha), size=vectors.shape[1])
    # einsum, not @: sums in the same order with any number of threads, so all clients agree.
    weights = np.einsum("nl,lc->nc", vectors, shares)
    weights[vectors.sum(axis=1) == 0] = 1.0
    reach = weights.cumsum(axis=1)
    drawn = draw.random(len(order)) * reach[:, -1]
    client_of = torch.from_numpy((drawn[:, None] >= reach[:, :-1]).sum(axis=1))
    return [order[client_of == client].sort().values for client in range(clients)]
