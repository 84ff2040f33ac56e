"""Feeds the server malformed replies."""
