"""Objectives are an axis of their own: any method that trains can be trained with any of them."""

import math
from collections.abc import Callable

import pytest
import torch
from prepared import NAMES, prepared
from small_scenes import CLASSES, small_scenes

from fedmvp_core import registry
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import check_attackable, find_method
from fedmvp_core.tasks import Task
from fedmvp_core.training import train_locally

Make = Callable[..., RunConfig]
OBJECTIVES = {
    "adversarial": "ce",
    "at": "ce",
    "calfat": "kl",
    "capt": "ce",
    "cross-entropy": None,
    "fap": "kl",
    "fedclip": None,
    "fedkgcoop": None,
    "fedmvp": None,
    "fedmvp-capt": "ce",
    "pmg": "ce",
    "trades": "kl",
}
OF_ONE_MODULE = {"fedmgp": None, "fedpgp": None}  # they ask for what other modules lack
# Objectives that say something of features which these methods leave as they are.
UNSERVED = {
    **{(method, "fedkgcoop"): "text" for method in ("fedmvp", "avp")},
    **{(m, o): "image" for m in ("apt", "paft") for o in ("fedmvp", "fedmvp-capt")},
}
OF_ONE_LABEL = ("calfat", "fedclip")


def several_labels(backbone: Backbone) -> PreparedShard:
    images = small_scenes(4, 1)
    bare: tuple[tuple[str, ...], ...] = tuple(() for _ in CLASSES)
    task = Task(CLASSES, bare, "a {class}.", "a {class}, {attribute}.", multi_label=True)
    return prepare_shard(backbone, Shard(0, images, images, task), FeatureCache(None))


def test_the_built_in_objectives_and_their_attacks() -> None:
    every = OBJECTIVES | OF_ONE_MODULE
    assert registry.names_in(registry.OBJECTIVES) == tuple(sorted(every))
    for name, attack in every.items():
        objective = registry.find(registry.OBJECTIVES, name)
        assert (objective.name, objective.attack) == (name, attack)


@pytest.mark.parametrize("method", ["fedmvp", "capt", "apt", "avp", "paft"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("labels", ["one", "several"])
def test_a_step_is_finite_and_moves_something(
    tiny_backbone: Backbone, default_config: Make, method: str, objective: str, labels: str
) -> None:
    config = default_config(
        method=method, objective=objective, local_epochs=1, attack_steps=1, batch_size=4
    )
    chosen = find_method(config)
    assert chosen.objective is not None
    assert chosen.objective.name == objective
    assert (chosen.attack() is None) == (OBJECTIVES[objective] is None)
    names = NAMES if labels == "one" else CLASSES
    shard = prepared(tiny_backbone, 4) if labels == "one" else several_labels(tiny_backbone)
    if (method, objective) in UNSERVED:
        held = UNSERVED[method, objective]
        sentence = f"'{objective}', which holds {held} features, but method '{method}' changes"
        with pytest.raises(ConfigError, match=sentence):
            chosen.build_prompting(tiny_backbone, names)
        return
    prompting = chosen.build_prompting(tiny_backbone, names)
    if labels == "several" and objective in OF_ONE_LABEL:
        with pytest.raises(ConfigError, match=f"'{objective}', which is for images with one label"):
            train_locally(tiny_backbone, prompting, chosen, shard, config, LocalRound())
        return
    before = prompting.prompt_tensors()
    result = train_locally(tiny_backbone, prompting, chosen, shard, config, LocalRound())
    assert len(result.steps["loss"]) == 1
    assert all(math.isfinite(value) for values in result.steps.values() for value in values)
    after = prompting.prompt_tensors()
    assert all(value.isfinite().all() for value in after.values())
    assert any(not torch.equal(value, before[name]) for name, value in after.items())


@pytest.mark.parametrize(("options", "served"), [("", False), ("coupled-prompts=true", True)])
def test_what_a_module_changes_may_depend_on_its_options(
    tiny_backbone: Backbone, default_config: Make, options: str, served: bool
) -> None:
    config = default_config(method="fedmvp-capt", objective="fedkgcoop", method_options=options)
    chosen = find_method(config)
    if served:
        chosen.build_prompting(tiny_backbone, NAMES)
        return
    with pytest.raises(ConfigError, match="'fedmvp-capt' changes image features alone; allowed"):
        chosen.build_prompting(tiny_backbone, NAMES)


@pytest.mark.parametrize("objective", OF_ONE_LABEL)
def test_several_labels_are_refused_before_the_first_round(
    default_config: Make, objective: str
) -> None:
    images, bare = small_scenes(4, 1), tuple(() for _ in CLASSES)
    several = Task(CLASSES, bare, "a {class}.", "a {class}.", multi_label=True)
    method = find_method(default_config(method="promptfl", objective=objective))
    config = default_config()
    with pytest.raises(ConfigError, match=f"'{objective}', .* one label, .*; allowed with several"):
        check_attackable(method, [Shard(0, images, images, several)], config)


def test_a_method_has_its_own_objective_unless_another_is_named(default_config: Make) -> None:
    for method, own in (("fedmvp", "fedmvp"), ("apt", "adversarial"), ("fap", "fap")):
        for named, found in (("", own), ("trades", "trades")):
            objective = find_method(default_config(method=method, objective=named)).objective
            assert objective is not None
            assert objective.name == found


@pytest.mark.parametrize("method", ["hep", "zs-clip"])
def test_a_method_that_trains_nothing_takes_no_objective(default_config: Make, method: str) -> None:
    config = default_config(method=method, objective="trades")
    with pytest.raises(
        ConfigError, match=rf"objective is 'trades', but method '{method}' trains nothing; .*: ''"
    ):
        find_method(config)
    assert not find_method(default_config(method=method)).trains


def test_an_objectives_options_are_its_own(default_config: Make) -> None:
    with pytest.raises(ConfigError, match="objective 'trades' has no option 'alpha'"):
        default_config(objective="trades", objective_options="alpha=1")
    with pytest.raises(ConfigError, match="objective is 'nothing'; allowed: '', adversarial"):
        default_config(objective="nothing")
