"""The Flower ClientApp: a shard, a method, local training."""
