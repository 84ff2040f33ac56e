"""Whose classes the server tests one by one: the shards that it cuts, or those that nodes name."""

from collections.abc import Sequence

import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.data.own_shard import OWN
from fedmvp_core.data.settings import Setting
from fedmvp_core.data.shards import Shard, make_shards
from server_app.cohort.nodes import Node, places


def tested_shards(setting: Setting, nodes: Sequence[Node], config: RunConfig) -> list[Shard]:
    """A shard for each node.

    Where the server cuts the data, nodes that may still come have one too. Where nodes hold data of
    their own, a shard has the classes that its node names and no images; a node that names none
    (share-class-names) has no shard here.
    """
    if config.data.partition != OWN:
        return make_shards(setting, places(nodes, config.data), config)
    nothing = torch.empty(0, dtype=torch.int64)
    train, validation = setting.train.select(nothing), setting.validation.select(nothing)
    return [
        Shard(node.partition_id, train, validation, setting.make_task(tuple(node.classes)))
        for node in nodes
        if node.classes
    ]
