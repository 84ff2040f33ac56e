"""A local step of every installed method, on the same pictures without a shard's preparation."""

from functools import partial

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.shard import prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.registry import METHODS, names_in
from fedmvp_core.terms.term import configured_terms
from fedmvp_core.training import train_locally
from server_app.aggregation import asked_terms
from simulations.bench.inputs import Inputs, made_shard
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.runner.client_cost import first_round, settle

BASE = "promptfl"


def measure(inputs: Inputs) -> list[Measured]:
    """A step of one batch, each method with its own objective, attack and defaults."""
    sizes, backbone = inputs.sizes, inputs.backbone()
    shard = made_shard(sizes.batch, backbone.image_size, sizes.classes, sizes.attributes)
    sides: dict[str, Side] = {}
    for name in (BASE, *(name for name in names_in(METHODS) if name != BASE)):
        if side := _side(inputs, backbone, shard, name):
            sides[name] = side
    values = take_turns(sides, sizes.turns, partial(settle, backbone.device))
    return [Measured("methods", "a step of", "s", BASE, values, sizes.batch, inputs.told())]


def _side(inputs: Inputs, backbone: Backbone, shard: Shard, name: str) -> Side | None:
    """A step of the method; None if it trains nothing."""
    config = inputs.config().with_values(method=name, method_options="")
    method = find_method(config)
    if not method.trains:
        return None
    prompting = method.build_prompting(backbone, shard.task.class_names).to(backbone.device)
    terms = configured_terms(asked_terms(config, method))
    prepared = prepare_shard(backbone, shard, FeatureCache(None), None, config.training)
    round = first_round(method, prompting, terms, config)
    return partial(train_locally, backbone, prompting, method, prepared, config, round, terms)
