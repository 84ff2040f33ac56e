"""Attribute phrases from a language model, and checks of a file of them."""
