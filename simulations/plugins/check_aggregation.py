"""The contract of an aggregation: what it keeps of names and shapes, and that it is repeatable."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fedmvp_core.config import Scalar
from fedmvp_core.registry import AGGREGATIONS
from fedmvp_core.terms import configured_terms
from server_app.aggregation import (
    Aggregation,
    ConfiguredAggregation,
    Rule,
    TooFewUpdatesError,
    Update,
    restore_rule,
    rule_state,
)
from simulations.plugins.examples import CLIENTS, current_tensors, example_updates
from simulations.plugins.findings import (
    Finding,
    checked,
    default_options,
    loaded,
    small_config,
)
from simulations.runner.inline import set_identity

Tensors = dict[str, Tensor]


def check_aggregation(name: str, words: dict[str, Scalar]) -> Iterator[Finding]:
    """Every check that makes sense after those before it."""
    set_identity()  # Flower's strategies make messages
    finding, aggregation = loaded(AGGREGATIONS, name, Aggregation)
    yield finding
    if aggregation is None:
        return
    options = default_options(aggregation, f"aggregation '{name}'")
    yield options
    if options.wrong:
        return
    configured = ConfiguredAggregation(small_config(words, aggregation=name))
    yield checked(f"{CLIENTS} updates are enough for it", lambda: _enough(configured))
    if configured.term() is not None:
        yield checked("the client term that it asks for is installed", lambda: _term(configured))
    first = checked(
        "its tensors have the names, shapes and types of the current ones, and are finite",
        lambda: _alike(configured.rule()),
    )
    yield first
    if first.wrong:
        return
    yield checked("tensors that half of the clients send are taken", lambda: _phases(configured))
    yield checked("the same updates twice give the same bits", lambda: _repeatable(configured))
    yield checked("which client sent which update does not matter", lambda: _renumbered(configured))
    yield checked(
        "a rule made anew with the state of another goes on with the same bits",
        lambda: _restored(configured),
    )
    yield _equal_updates(configured)


def _enough(configured: ConfiguredAggregation) -> str:
    configured.check_cohort(CLIENTS)
    return ""


def _term(configured: ConfiguredAggregation) -> str:
    configured_terms([term for term in [configured.term()] if term is not None])
    return ""


def _alike(rule: Rule) -> str:
    current = current_tensors()
    found = rule(example_updates(current), current)
    if unknown := sorted(set(found) - set(current)):
        return f"{', '.join(unknown)} is no tensor of the current ones"
    if not found:
        return "nothing changes"
    for name, value in found.items():
        same = (value.shape, value.dtype) == (current[name].shape, current[name].dtype)
        if not same:
            return f"'{name}' is {tuple(value.shape)} of {value.dtype}"
        if not torch.isfinite(value).all():
            return f"'{name}' holds NaN or infinite numbers"
    return ""


def _phases(configured: ConfiguredAggregation) -> str:
    """Every second client is in a phase that sends one tensor less."""
    current = current_tensors()
    left = next(iter(current))
    updates = [
        replace(u, tensors={n: t for n, t in u.tensors.items() if n != left})
        if u.partition_id % 2
        else u
        for u in example_updates(current)
    ]
    try:
        found = configured.rule()(updates, current)
    except TooFewUpdatesError:
        return ""  # it says so, which repeats or ends the round
    unknown = sorted(set(found) - set(current))
    return f"it returns {', '.join(unknown)}" if unknown else ""


def _two_rounds(rule: Rule, current: Tensors) -> Tensors:
    for round in (1, 2):
        current = {**current, **rule(example_updates(current, round), current)}
    return current


def _repeatable(configured: ConfiguredAggregation) -> str:
    first, second = (_two_rounds(configured.rule(), current_tensors()) for _ in range(2))
    return _difference(first, second)


def _restored(configured: ConfiguredAggregation) -> str:
    rule, current = configured.rule(), current_tensors()
    current |= rule(example_updates(current, 1), current)
    kept = {name: value.clone() for name, value in rule_state(rule).items()}
    other = configured.rule()
    restore_rule(other, kept)
    updates = example_updates(current, 2)
    return _difference(rule(updates, current), other(updates, current))


def _renumbered(configured: ConfiguredAggregation) -> str:
    """The server sorts updates by partition id, so ids are dealt out anew, in another order."""
    current = current_tensors()
    updates = example_updates(current)
    dealt = _dealt(updates)
    first, second = configured.rule()(updates, current), configured.rule()(dealt, current)
    for name, value in first.items():
        if not torch.allclose(value, second[name], rtol=1e-4, atol=1e-6):
            far = (value - second[name]).abs().max().item()
            return f"'{name}' differs by {far:.3g}"
    return ""


def _dealt(updates: Sequence[Update]) -> list[Update]:
    order = torch.randperm(len(updates), generator=torch.Generator().manual_seed(0)).tolist()
    dealt = [replace(u, partition_id=at) for u, at in zip(updates, order, strict=True)]
    return sorted(dealt, key=lambda update: update.partition_id)


def _equal_updates(configured: ConfiguredAggregation) -> Finding:
    """Worth knowing: a mean gives it back, an optimiser on the server need not."""
    what, current = "it takes updates that are all equal", current_tensors()
    finding = checked(
        what, lambda: "" if configured.rule()(_equal(current), current) else "nothing changes"
    )
    if finding.wrong:
        return finding
    found, sent = configured.rule()(_equal(current), current), _equal(current)[0].tensors
    same = all(torch.allclose(value, sent[name], atol=1e-5) for name, value in found.items())
    return Finding(what, note=f"and {'gives that update back' if same else 'moves otherwise'}")


def _equal(current: Tensors) -> list[Update]:
    return example_updates(current, spread=0.0)


def _difference(first: Tensors, second: Tensors) -> str:
    if list(first) != list(second):
        return f"names differ: {', '.join(first)} and {', '.join(second)}"
    different = [name for name, value in first.items() if not torch.equal(value, second[name])]
    return f"{', '.join(different)} differ" if different else ""
