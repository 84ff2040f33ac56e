"""The contract of an objective: finite numbers and gradients under methods of either modality."""

import math
from collections.abc import Callable, Iterator

import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import Scalar
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import find_method
from fedmvp_core.objectives import Objective
from fedmvp_core.registry import METHODS, OBJECTIVES, usable_in
from fedmvp_core.training import train_locally
from simulations.plugins.examples import CLASSES, example_shard, random_backbone
from simulations.plugins.findings import (
    Finding,
    checked,
    default_options,
    loaded,
    small_config,
)

UNDER = {"fedmvp": "image", "apt": "text"}  # method -> the features that it changes
ATTACKS = (None, "ce", "kl")


def check_objective(name: str, words: dict[str, Scalar]) -> Iterator[Finding]:
    """Every check that makes sense after those before it."""
    finding, objective = loaded(OBJECTIVES, name, Objective)
    yield finding
    if objective is None:
        return
    options = default_options(objective, f"objective '{name}'")
    yield options
    if options.wrong:
        return
    yield checked("its attack is one that there is", lambda: _attack(objective))
    yield checked("it needs features that there are", lambda: _needs(objective))
    backbone = random_backbone()
    shard = example_shard(backbone)
    for method in _methods_for(objective):
        yield checked(
            f"its loss and gradient are finite under method '{method}'",
            _step(name, method, words, backbone, shard),
        )


def _methods_for(objective: Objective) -> tuple[str, ...]:
    """Methods to try it under: its own where it asks for what not every module has."""
    if objective.asks:
        methods = usable_in(METHODS).items()
        return tuple(name for name, method in methods if method.objective == objective.name)
    return tuple(name for name, changed in UNDER.items() if objective.needs in ("", changed))


def _attack(objective: Objective) -> str:
    if objective.attack in ATTACKS:
        return ""
    return f"attack is {objective.attack!r}; allowed: {', '.join(map(repr, ATTACKS))}"


def _needs(objective: Objective) -> str:
    allowed = ("", *UNDER.values())
    if objective.needs in allowed:
        return ""
    return f"needs is {objective.needs!r}; allowed: {', '.join(map(repr, allowed))}"


def _step(
    name: str,
    method_name: str,
    words: dict[str, Scalar],
    backbone: Backbone,
    shard: PreparedShard,
) -> Callable[[], str]:
    def check() -> str:
        config = small_config(words, method=method_name, objective=name)
        method = find_method(config)
        prompting = method.build_prompting(backbone, CLASSES)
        before = prompting.prompt_tensors()
        round = LocalRound(number=1, phase=method.phases[0], received=before)
        result = train_locally(backbone, prompting, method, shard, config, round)
        for measured, values in result.steps.items():
            if not all(isinstance(value, float) and math.isfinite(value) for value in values):
                return f"'{measured}' is {values}; allowed: finite scalars"
        after = prompting.prompt_tensors()
        broken = [n for n, value in after.items() if not torch.isfinite(value).all()]
        if broken:
            return f"the gradient of {', '.join(broken)} is NaN or infinite"
        moved = any(not torch.equal(value, before[n]) for n, value in after.items())
        return "" if moved else "no tensor has a gradient"

    return check
