"""Losses and divergences of a batch, used by objectives and by attacks alike."""
