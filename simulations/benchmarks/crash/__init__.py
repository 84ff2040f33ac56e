"""Kills processes of a run at chosen moments, and checks that the resumed run is the same."""
