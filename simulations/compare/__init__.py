"""Runs side by side: what differs in their configuration, their numbers, their curves."""
