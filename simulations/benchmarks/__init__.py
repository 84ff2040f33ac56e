"""Benchmarks. Speeds are ratios of two sides timed in one run, since machines are noisy."""
