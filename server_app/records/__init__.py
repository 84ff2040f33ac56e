"""What a run leaves on disk: the run folder, checkpoints, tables, and how a run goes on from them."""
