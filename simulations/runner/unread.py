"""Keys that are written and that nothing in the run reads: a wish that would be lost in silence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fedmvp_core.config import RunConfig
from fedmvp_core.config.folding import MOVED
from fedmvp_core.config.options import option_names, options_type

if TYPE_CHECKING:
    from fedmvp_core.methods import ConfiguredMethod

logger = logging.getLogger(__name__)
Reads: TypeAlias = "Callable[[ConfiguredMethod, RunConfig], bool]"


@dataclass(frozen=True)
class Gate:
    """Keys that are read only if `reads` says so. why: the end of the sentence if it does not."""

    keys: tuple[str, ...]
    reads: Reads
    why: str


def _trains(method: ConfiguredMethod, config: RunConfig) -> bool:
    return method.trains


def _attacks(method: ConfiguredMethod, config: RunConfig) -> bool:
    return method.objective is not None and method.objective.attack is not None


def _measures_robustness(method: ConfiguredMethod, config: RunConfig) -> bool:
    return config.evaluation.robust_attack != "none"


def _reads_epsilon(method: ConfiguredMethod, config: RunConfig) -> bool:
    tested = _measures_robustness(method, config) and not config.evaluation.robust_epsilon
    return tested or _attacks(method, config)


GATES = (
    Gate(
        (
            *("local-epochs", "batch-size", "learning-rate", "momentum", "weight-decay"),
            *("keep-momentum", "warmup-rounds", "warmup-rate", "multi-label-loss"),
            *("augmentation", "cached-views", "clients-per-batch", "compile"),
        ),
        _trains,
        "which trains nothing",
    ),
    Gate(
        ("attack-steps", "attack-step-size", "attack-classes"),
        _attacks,
        "which trains on no attacked image",
    ),
    Gate(("epsilon",), _reads_epsilon, "which looks at no attacked image"),
    Gate(
        ("attributes", "attribute-template", "attribute-weight"),
        lambda method, config: method.method.reads_attributes,
        "which reads the plain template alone",
    ),
    Gate(
        ("warmup-rate",),
        lambda method, config: not method.trains or config.training.warmup_rounds > 0,
        "with warmup-rounds=0",
    ),
    Gate(
        ("keep-momentum",),
        lambda method, config: not method.trains or config.training.momentum > 0,
        "with momentum=0",
    ),
    Gate(
        ("cached-views",),
        lambda method, config: not method.trains or config.training.augmentation != "none",
        "with augmentation=none",
    ),
    Gate(
        ("robust-epsilon", "robust-steps", "robust-every", "robust-images", "robust-last-images"),
        _measures_robustness,
        "with robust-attack=none",
    ),
    Gate(
        ("secagg-shares", "secagg-threshold"),
        lambda method, config: not method.trains or config.privacy.secure_aggregation,
        "with secure-aggregation=false",
    ),
)


def warn_unread(written: Mapping[str, object], config: RunConfig) -> None:
    """Log a warning for each key of `written` that the run does not read."""
    for sentence in unread(written, config):
        logger.warning(sentence)


def unread(written: Mapping[str, object], config: RunConfig) -> list[str]:
    """A sentence for each key that the chosen method, objective or evaluation does not read.

    An option written as `objective.beta` is an error already where nothing declares it, and an old
    spelling at another value than its default has its warning from config/folding.py.
    """
    old = {key: MOVED[key][1] for key in written if key in MOVED}
    keys = [key for key, value in written.items() if key not in old or value == old[key]]
    gated = {key for gate in GATES for key in gate.keys}
    if not any(key in gated or key in MOVED for key in keys):
        return []
    from fedmvp_core.methods import find_method  # imports torch

    method = find_method(config)
    sentences = [
        f"{key} is written, but not read by method '{method.name}', {gate.why}"
        for key in keys
        for gate in GATES
        if key in gate.keys and not gate.reads(method, config)
    ]
    return sentences + [
        f"{key} is written, but not read by {_owner(key, method)}"
        for key in keys
        if key in MOVED and not _has(key, method)
    ]


def _owner(key: str, method: ConfiguredMethod) -> str:
    if MOVED[key][0].startswith("method."):
        return f"method '{method.name}'"
    if method.objective is None:
        return f"method '{method.name}', which has no objective"
    return f"objective '{method.objective.name}'"


def _has(key: str, method: ConfiguredMethod) -> bool:
    """Whether an old spelling of a method's or objective's option is one; others are not asked."""
    kind, _, option = MOVED[key][0].partition(".")
    if kind not in ("method", "objective"):
        return True
    plugin = method.method if kind == "method" else method.objective
    return plugin is not None and option in option_names(options_type(plugin))
