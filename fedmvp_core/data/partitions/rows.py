"""What several partition rules use: rows in the order of names, and labels as vectors."""

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.errors import ConfigError


def rows_by_name(images: ImageSet) -> Tensor:
    """Positions sorted by the images' names, (n,) int64.

    Seeded rules deal from this order, so that the order in which a disk lists files is no part of
    the draw.
    """
    order = sorted(range(len(images)), key=images.names.__getitem__)
    return torch.tensor(order, dtype=torch.int64)


def label_vectors(images: ImageSet) -> np.ndarray:
    """(n, classes) float64: 1 where an image has a label; one for each image of a single-label set.

    A label that is unknown (-1) counts as absent.
    """
    if images.multi_label:
        return (images.labels == 1).numpy().astype(np.float64)
    return np.eye(len(images.class_names))[images.labels.numpy()]


def require_one_label(images: ImageSet, rule: str) -> None:
    """Refuse images with several labels for a rule that deals out whole classes.

    Raises:
        ConfigError: the set is multi-label.
    """
    if images.multi_label:
        raise ConfigError(
            f"partition '{rule}' needs images with one label each, these have several; allowed: "
            "by-domain, dirichlet-labels, iid, kmeans-labels"
        )
