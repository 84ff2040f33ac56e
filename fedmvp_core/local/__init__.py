"""What one client's step sees: the prepared shard, the tuned model, the attack in training."""
