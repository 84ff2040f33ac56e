"""What differs from each method's released code, one row for each difference.

The one source of the table in docs/methods.md and of what `fedmvp run ... protocol=published
--dry-run` prints.
"""

from collections.abc import Sequence

from fedmvp_core.methods.differences.codes import CODES, HEADINGS, Difference
from fedmvp_core.methods.differences.model import MODEL
from fedmvp_core.methods.differences.training import TRAINING

__all__ = ["CODES", "DIFFERENCES", "HEADINGS", "Difference", "differences_of"]

DIFFERENCES: Sequence[Difference] = (*TRAINING, *MODEL)


def differences_of(method: str) -> list[Difference]:
    """The rows about a method's codes, then all others."""
    own = set(CODES.get(method, ()))
    return sorted(DIFFERENCES, key=lambda row: not own & set(row.codes))
