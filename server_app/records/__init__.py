"""What a run leaves on disk: its folder, checkpoints, tables, and how a run goes on from them."""
