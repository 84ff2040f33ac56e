"""Lloyd's k-means from a seeded k-means++ start, the same on every machine of a federation.

Every client cuts the same data by itself, so that they must agree to the last image: there is no
matrix product here (its rounding depends on threads), and distances are compared after rounding.
"""

import numpy as np

MOST_STEPS = 300
DIGITS = 9  # of squared distances; coarser than rounding errors, finer than any real difference


def kmeans(
    points: np.ndarray, weights: np.ndarray, clusters: int, draw: np.random.Generator
) -> np.ndarray:
    """The cluster of each point, (n,) int64; every cluster has a point.

    points: (n, d), all different. weights: (n,), how often each point occurs. clusters: 1 to n.
    """
    centres = _plus_plus(points, weights, clusters, draw)
    cluster_of = np.full(len(points), -1)
    for _ in range(MOST_STEPS):
        distances = _squared_distances(points, centres)
        nearest = _without_empty(distances.argmin(axis=1), distances)
        if (nearest == cluster_of).all():
            break
        cluster_of = nearest
        centres = _means(points, weights, cluster_of, clusters)
    return cluster_of


def _plus_plus(
    points: np.ndarray, weights: np.ndarray, clusters: int, draw: np.random.Generator
) -> np.ndarray:
    """Starting centres: each far from those before it (Arthur and Vassilvitskii 2007)."""
    chosen = [int(draw.choice(len(points), p=weights / weights.sum()))]
    while len(chosen) < clusters:
        chance = weights * _squared_distances(points, points[chosen]).min(axis=1)
        chance[chosen] = 0.0
        reach = chance.cumsum()
        chosen.append(int(np.searchsorted(reach, draw.random() * reach[-1], side="right")))
    return points[chosen]


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, k)."""
    columns = [np.square(points - centre).sum(axis=1) for centre in centres]
    return np.round(np.stack(columns, axis=1), DIGITS)


def _without_empty(cluster_of: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Give each empty cluster the point that is farthest from a centre which has others."""
    cluster_of = cluster_of.copy()
    clusters = distances.shape[1]
    own = distances[np.arange(len(cluster_of)), cluster_of]
    for cluster in range(clusters):
        sizes = np.bincount(cluster_of, minlength=clusters)
        if sizes[cluster] == 0:
            farthest = int(np.where(sizes[cluster_of] > 1, own, -1.0).argmax())
            cluster_of[farthest], own[farthest] = cluster, 0.0
    return cluster_of


def _means(
    points: np.ndarray, weights: np.ndarray, cluster_of: np.ndarray, clusters: int
) -> np.ndarray:
    """Weighted mean of each cluster's points, (k, d)."""
    sums = np.zeros((clusters, points.shape[1]))
    np.add.at(sums, cluster_of, points * weights[:, None])
    return sums / np.bincount(cluster_of, weights=weights, minlength=clusters)[:, None]
