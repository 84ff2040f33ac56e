"""The report of a run: one self-contained HTML page made from its folder."""

from simulations.report.page import write_report

__all__ = ["write_report"]
