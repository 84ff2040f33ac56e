"""Attribute phrases of classes: shipped with a data set, or read from JSON."""
