"""Kills parts of a federation at chosen moments, and looks whether the run is the same."""
