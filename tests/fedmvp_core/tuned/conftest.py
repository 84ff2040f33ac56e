"""Exports of small runs."""

from tuned_exports import exported, exports, make_run

__all__ = ["exported", "exports", "make_run"]
