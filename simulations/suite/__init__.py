"""Suites: the runs behind one table of results, each with several seeds (docs/suites.md)."""

from simulations.suite.files import Suite, load_suite, suite_names

__all__ = ["Suite", "load_suite", "suite_names"]
