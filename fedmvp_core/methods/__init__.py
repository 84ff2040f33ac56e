"""Methods under their papers' names: a prompting module, a default objective, options, phases."""

from fedmvp_core.methods.method import (
    ConfiguredMethod,
    Method,
    check_attackable,
    find_method,
)

__all__ = ["ConfiguredMethod", "Method", "check_attackable", "find_method"]
