"""What random crops cost in a step of FedMVP, on the same pictures without a shard's preparation.

none         on pictures as they are read
crops        on crops drawn in the step, with the frozen target of the other crop encoded in it
cached       on one of four crops of each picture that were drawn and encoded before
promptfl, promptfl-crops  a step of PromptFL, whose objective reads nothing of the frozen model
"""

from functools import partial

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally
from simulations.bench.inputs import Inputs, made_shard
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.runner.client_cost import settle

NONE, CROPS = "none", "crops"


def measure(inputs: Inputs) -> list[Measured]:
    """A step of one batch."""
    sizes, backbone = inputs.sizes, inputs.backbone()
    shard = made_shard(sizes.batch, backbone.image_size, sizes.classes, sizes.attributes)
    make = partial(_side, backbone, shard, inputs.config())
    sides = {
        NONE: make("fedmvp", NONE),
        CROPS: make("fedmvp", CROPS),
        "cached": make("fedmvp", CROPS, 4),
        "promptfl": make("promptfl", NONE),
        "promptfl-crops": make("promptfl", CROPS),
    }
    values = take_turns(sides, sizes.turns, partial(settle, backbone.device))
    return [Measured("crops", "a step on", "s", NONE, values, sizes.batch, inputs.told())]


def _side(
    backbone: Backbone,
    shard: Shard,
    config: RunConfig,
    method: str,
    augmentation: str,
    cached_views: int = 0,
) -> Side:
    mine = config.with_values(method=method, augmentation=augmentation, cached_views=cached_views)
    if method == "promptfl":
        mine = mine.with_values(method_options="")
    found = find_method(mine)
    prompting = found.build_prompting(backbone, shard.task.class_names).to(backbone.device)
    prepared = prepare_shard(backbone, shard, FeatureCache(None), None, mine.training)
    return partial(train_locally, backbone, prompting, found, prepared, mine, LocalRound())
