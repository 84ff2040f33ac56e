"""k-means against scikit-learn's, and where clusters run empty."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from fedmvp_core.data.partitions.kmeans import kmeans


def cloud(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.random((n, 6)), draw.integers(1, 20, n)


def inertia(points: np.ndarray, weights: np.ndarray, cluster_of: np.ndarray) -> float:
    """Weighted squared distances from the clusters' means."""
    total = 0.0
    for cluster in np.unique(cluster_of):
        mine, share = points[cluster_of == cluster], weights[cluster_of == cluster]
        mean = np.average(mine, axis=0, weights=share)
        total += float((share[:, None] * (mine - mean) ** 2).sum())
    return total


@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_as_tight_as_those_of_scikit_learn(seed: int) -> None:
    points, weights = cloud(120, seed)
    ours = kmeans(points, weights, 5, np.random.default_rng(seed))
    reference = KMeans(5, n_init=1, random_state=seed).fit(points, sample_weight=weights).labels_
    assert inertia(points, weights, ours) < 1.1 * inertia(points, weights, reference)


@pytest.mark.parametrize("seed", range(4))
def test_the_end_is_a_fixed_point(seed: int) -> None:
    """No point is nearer to another cluster's mean: scikit-learn, started there, stays there."""
    points, weights = cloud(150, seed)
    ours = kmeans(points, weights, 4, np.random.default_rng(seed))
    means = np.stack(
        [np.average(points[ours == c], axis=0, weights=weights[ours == c]) for c in range(4)]
    )
    reference = KMeans(4, init=means, n_init=1).fit(points, sample_weight=weights)
    assert (reference.labels_ == ours).all()


def test_separate_groups_are_found() -> None:
    draw = np.random.default_rng(0)
    points = np.concatenate([10 * group + draw.random((30, 3)) for group in range(4)])
    found = kmeans(points, np.ones(120), 4, draw).reshape(4, 30)
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0])) == 4


@pytest.mark.parametrize("clusters", [1, 7, 31, 32])
def test_no_cluster_is_empty(clusters: int) -> None:
    """The corners of a cube are equally far from one another, so that ties abound."""
    corners = np.array([[(i >> bit) & 1 for bit in range(5)] for i in range(32)], dtype=float)
    for seed in range(10):
        found = kmeans(corners, np.ones(32), clusters, np.random.default_rng(seed))
        assert set(found) == set(range(clusters))


def test_a_rounding_error_moves_no_point() -> None:
    """Machines that add in another order must still agree."""
    points, weights = cloud(80, 1)
    noise = 1e-13 * np.random.default_rng(5).standard_normal(points.shape)
    one = kmeans(points, weights, 6, np.random.default_rng(2))
    other = kmeans(points + noise, weights, 6, np.random.default_rng(2))
    assert (one == other).all()
