"""What an aggregation or a method asks of clients beside their objective, one term a file."""

from fedmvp_core.terms.term import (
    ClientTerm,
    ConfiguredTerm,
    Finished,
    TermText,
    configured_terms,
    exchanged_tensors,
)

__all__ = [
    "ClientTerm",
    "ConfiguredTerm",
    "Finished",
    "TermText",
    "configured_terms",
    "exchanged_tensors",
]
