"""Speed as ratios: both sides in one run on the same work, since machines are shared and noisy."""
