"""Runs a federation in simulation: its own SuperLink, one Flower run, and nothing left behind."""
