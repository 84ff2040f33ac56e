"""What each command of `fedmvp` does; `simulations.cli` says how it is called."""
