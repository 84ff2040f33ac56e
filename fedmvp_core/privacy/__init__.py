"""Differential privacy of what clients send or the server averages; one client is the unit."""

from fedmvp_core.privacy.accountant import affordable_releases, epsilon_spent
from fedmvp_core.privacy.mechanisms import clipped_update, private_mean, private_update
from fedmvp_core.privacy.noise import Draw, noise_for, seeded_draw, system_draw

__all__ = [
    "Draw",
    "affordable_releases",
    "clipped_update",
    "epsilon_spent",
    "noise_for",
    "private_mean",
    "private_update",
    "seeded_draw",
    "system_draw",
]
