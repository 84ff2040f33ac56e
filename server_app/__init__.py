"""The Flower ServerApp: strategies over prompt tensors, central evaluation, checkpoints."""
