"""Checks of data sets, and pictures of how they are cut."""
