"""What liars agree on who know what each of them would have sent in honesty.

That is the papers' partial knowledge: the liars train honestly on their own shards and take their
own updates for a sample of everybody's. They know neither the others' updates nor the defence. All
of them send the same.

updates: (liars, d) float64, what each would have changed in honesty. Returned is (d,), what each
claims to have changed.
"""

import math
from statistics import NormalDist

from torch import Tensor


def a_little(updates: Tensor, clients: int, strength: float = 0.0) -> Tensor:
    """The mean, moved against each number by z of its standard deviations.

    A Little Is Enough (Baruch et al., NeurIPS 2019), algorithm 3. strength: z; 0: `largest_z`.
    """
    z = strength or largest_z(clients, len(updates))
    return updates.mean(dim=0) - z * updates.std(dim=0)


def largest_z(clients: int, liars: int) -> float:
    """Honest clients that are further out than this make a majority with the liars: never below 0.

    Phi(z) = (n - m - s) / (n - m), with s = floor(n / 2 + 1) - m honest supporters.
    """
    honest = max(1, clients - liars)
    supporters = max(1, clients // 2 + 1 - liars)
    return NormalDist().inv_cdf(max(0.5, (honest - supporters) / honest))


def min_max(updates: Tensor, strength: float = 0.0) -> Tensor:
    """As far from the mean as no liar's distance to it exceeds the longest between two of them.

    Manipulating the Byzantine (Shejwalkar & Houmansadr, NDSS 2021), eq. 9, along minus the standard
    deviation. The paper searches gamma by halving; here it is the quadratics' smallest root.
    strength: times gamma; 0: 1.
    """
    mean, direction = updates.mean(dim=0), -updates.std(dim=0)
    squared = float(direction.square().sum())
    if squared == 0:
        return mean
    longest = (updates[:, None] - updates[None]).square().sum(dim=2).max()
    away = mean - updates
    along = away @ direction
    room = (longest - away.square().sum(dim=1)).clamp(min=0)
    gamma = (((along.square() + squared * room).sqrt() - along) / squared).min()
    return mean + (strength or 1.0) * float(gamma) * direction


def min_sum(updates: Tensor, strength: float = 0.0) -> Tensor:
    """As far from the mean as the sum of squared distances to it stays within the liars' largest.

    Shejwalkar & Houmansadr, NDSS 2021, eq. 10, along minus the standard deviation. The distances
    from the mean to the updates cancel out, so gamma is a root. strength: times gamma; 0: 1.
    """
    mean, direction = updates.mean(dim=0), -updates.std(dim=0)
    squared = float(direction.square().sum())
    if squared == 0:
        return mean
    most = (updates[:, None] - updates[None]).square().sum(dim=(1, 2)).max()
    room = float((most - (mean - updates).square().sum()).clamp(min=0))
    gamma = math.sqrt(room / (len(updates) * squared))
    return mean + (strength or 1.0) * gamma * direction


def inner_product(updates: Tensor, strength: float) -> Tensor:
    """Minus `strength` times the mean: what is averaged points away from the honest mean.

    Fall of Empires (Xie et al., UAI 2020), section 4.
    """
    return -strength * updates.mean(dim=0)


def agreed(updates: Tensor, strength: float) -> Tensor:
    """`strength` times the mean: one client under many names.

    The sybils of FoolsGold (Fung et al., RAID 2020).
    """
    return strength * updates.mean(dim=0)
