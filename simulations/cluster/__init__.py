"""Standing Ray clusters: how a run joins one, and whether its nodes can play the run's clients."""
