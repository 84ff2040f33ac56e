"""Client terms: what an aggregation or a method asks of clients beside their objective.

A term adds a penalty to the loss of every step. It may exchange tensors of its own with the server,
which are averaged as prompt tensors are, and let each client keep some between rounds. The server
names the terms of a round in its messages; both sides check the tensors as they check the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from fedmvp_core.config.options import NoOptions, options_type, parse_options
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.registry import TERMS, find

PREFIX = "term/"  # before the names of exchanged tensors among the prompt tensors
Tensors: TypeAlias = Mapping[str, Tensor]


class Finished(NamedTuple):
    """A client's round after its last step.

    gradients: of each trained prompt tensor, the mean over the steps, the terms' penalties
    included. exchanged, kept: the term's own tensors, as the round began.
    """

    gradients: Tensors
    exchanged: Tensors
    kept: Tensors


def nothing(tensors: Tensors) -> dict[str, Tensor]:
    """No tensors, for a term that exchanges or keeps none."""
    return {}


@dataclass(frozen=True)
class ClientTerm:
    """A term under its paper's name.

    penalty: (options, model) -> scalar, added to the loss of a step.
    exchanged, kept: prompt tensors -> the term's own tensors by name, as they begin.
    finish: (options, round's end) -> the tensors to send and those to keep; None: none.
    """

    name: str
    source: str
    penalty: Callable[[Any, LocalModel], Tensor]
    options: type = NoOptions
    exchanged: Callable[[Tensors], dict[str, Tensor]] = nothing
    kept: Callable[[Tensors], dict[str, Tensor]] = nothing
    finish: Callable[[Any, Finished], tuple[dict[str, Tensor], dict[str, Tensor]]] | None = None


class ConfiguredTerm(NamedTuple):
    """A term with its options."""

    term: ClientTerm
    options: Any


# Name of a term and the text of its options, as they travel.
TermText: TypeAlias = tuple[str, str]


def configured_terms(texts: Sequence[TermText]) -> list[ConfiguredTerm]:
    """The terms that are named, with their options.

    Raises:
        ConfigError: a term is not installed, or an option is not what it may be.
    """
    found = []
    for name, text in texts:
        term: ClientTerm = find(TERMS, name)
        owner = f"client term '{name}'"
        found.append(ConfiguredTerm(term, parse_options(owner, options_type(term), text)))
    return found


def exchanged_name(term: ClientTerm, name: str) -> str:
    """What a term's tensor is called among the prompt tensors."""
    return f"{PREFIX}{term.name}/{name}"


def exchanged_tensors(terms: Sequence[ConfiguredTerm], tensors: Tensors) -> dict[str, Tensor]:
    """What the terms exchange beside these prompt tensors, as it begins; {} without terms."""
    return {
        exchanged_name(term, name): value
        for term, _ in terms
        for name, value in term.exchanged(tensors).items()
    }


def of_terms(terms: Sequence[ConfiguredTerm], tensors: Tensors) -> dict[str, dict[str, Tensor]]:
    """Term -> name -> tensor, from tensors under their exchanged names."""
    found: dict[str, dict[str, Tensor]] = {}
    for term, _ in terms:
        start = exchanged_name(term, "")
        found[term.name] = {
            n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)
        }
    return found


def finished_terms(
    terms: Sequence[ConfiguredTerm], round: LocalRound, gradients: Tensors
) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """After the last step: tensors to send, under their exchanged names, and those to keep."""
    sent: dict[str, Tensor] = {}
    kept: dict[str, dict[str, Tensor]] = {}
    for term, options in terms:
        own = {**round.exchanged.get(term.name, {})}, {**round.kept.get(term.name, {})}
        if term.finish is not None:
            own = term.finish(options, Finished(gradients, *own))
        sent |= {exchanged_name(term, name): value.cpu() for name, value in own[0].items()}
        kept[term.name] = {name: value.cpu() for name, value in own[1].items()}
    return sent, kept


class MeanGradients:
    """Running means of the gradients of some parameters over the steps of a round."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        self._parameters, self._steps = parameters, 0
        self._sums = {name: torch.zeros_like(p) for name, p in parameters.items()}

    def add(self) -> None:
        """Take up the gradients of the step that has just been computed."""
        self._steps += 1
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                self._sums[name] += parameter.grad

    def means(self) -> dict[str, Tensor]:
        """Name -> mean gradient."""
        return {name: total / max(self._steps, 1) for name, total in self._sums.items()}
