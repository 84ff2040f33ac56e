"""Measures what prompt updates give away of the pictures that they were trained on."""
