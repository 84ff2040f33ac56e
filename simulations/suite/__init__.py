"""Suites: the runs behind one table of results, each with several seeds (docs/suites.md)."""

from simulations.suite.files import Suite, load_suite, suite_names
from simulations.suite.running import is_done, run_suite

__all__ = ["Suite", "is_done", "load_suite", "run_suite", "suite_names"]
