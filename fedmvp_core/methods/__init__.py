"""Methods under their papers' names: a prompting module, an objective, and what is sent."""

from fedmvp_core.methods.method import ClassNames, Method, find_method

__all__ = ["ClassNames", "Method", "find_method"]
