"""Data sets, splits, partitions, settings and shards."""
