"""What a round of one client costs, measured once for each method of a suite."""

from dataclasses import dataclass

import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import find_method
from fedmvp_core.terms.term import configured_terms
from fedmvp_core.training import train_locally
from fedmvp_core.workspace import feature_cache, open_backbone
from server_app.aggregation import asked_terms
from simulations.reproduce.surveyed import opened
from simulations.runner.client_cost import first_images, first_round, most_resident, prepared

MOST_BATCHES = 8  # of a shard; a larger one is told from these


@dataclass(frozen=True)
class ClientRound:
    """images: that were trained on in the measured round. seconds: it took. batch: its size.

    memory: most bytes in use, of the GPU if there is one, else of this process.
    """

    images: int
    batch: int
    seconds: float
    memory: int

    @property
    def seconds_per_image(self) -> float:
        return self.seconds / self.images


def measure_client_round(config: RunConfig, clients: int) -> ClientRound:
    """Train the first client for a round of one epoch, after a first step that is not counted.

    Raises:
        FedMVPError: the run would fail on it too.
    """
    config = config.with_values(local_epochs=1)
    backbone = open_backbone(config.model)
    setting, shards = opened(config, clients, backbone)
    shard = first_images(shards[0], MOST_BATCHES * config.training.batch_size)
    method = find_method(config)
    prompting = method.build_prompting(backbone, setting.train.class_names)
    terms = configured_terms(asked_terms(config, method))
    round = first_round(method, prompting, terms, config)

    def train(data: PreparedShard) -> float:
        return train_locally(backbone, prompting, method, data, config, round, terms).seconds

    cache = feature_cache(config.run)
    first = first_images(shard, config.training.batch_size)
    train(prepared(backbone, first, setting, config, cache))
    if backbone.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(backbone.device)
    seconds = train(prepared(backbone, shard, setting, config, cache))
    batch = config.training.batch_size
    return ClientRound(len(shard.images), batch, seconds, _memory(backbone.device))


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return most_resident()
