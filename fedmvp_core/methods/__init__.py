"""Methods under their papers' names: a prompting module, an objective, and what is sent."""

from fedmvp_core.methods.method import ClassNames, Method, check_attackable, find_method

__all__ = ["ClassNames", "Method", "check_attackable", "find_method"]
