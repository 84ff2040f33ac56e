"""What a round of one client costs, measured once for each method of a suite."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import Setting
from fedmvp_core.data.shards import Shard
from fedmvp_core.exchange import travelling_tensors
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.terms.term import ConfiguredTerm, configured_terms, of_terms
from fedmvp_core.training import train_locally
from fedmvp_core.workspace import feature_cache, open_backbone
from server_app.aggregation import asked_terms
from simulations.reproduce.surveyed import opened

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
    shard = _first_images(shards[0], MOST_BATCHES * config.training.batch_size)
    method = find_method(config)
    prompting = method.build_prompting(backbone, setting.train.class_names)
    terms = configured_terms(asked_terms(config, method))
    round = _round(method, prompting, terms, config)

    def train(data: PreparedShard) -> float:
        return train_locally(backbone, prompting, method, data, config, round, terms).seconds

    first = _first_images(shard, config.training.batch_size)
    train(_prepared(backbone, first, setting, config))
    if backbone.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(backbone.device)
    seconds = train(_prepared(backbone, shard, setting, config))
    batch = config.training.batch_size
    return ClientRound(len(shard.images), batch, seconds, _memory(backbone.device))


def _first_images(shard: Shard, most: int) -> Shard:
    """The shard with no more than so many of its images; its classes stay."""
    if len(shard.images) <= most:
        return shard
    return replace(shard, images=shard.images.select(torch.arange(most)))


def _prepared(
    backbone: Backbone, shard: Shard, setting: Setting, config: RunConfig
) -> PreparedShard:
    attacked = None
    if config.attack.attack_classes == "global":
        attacked = setting.make_task(setting.train.class_names)
    cache = feature_cache(config.run)
    return prepare_shard(backbone, shard, cache, attacked, config.training, config.run.seed)


def _round(
    method: ConfiguredMethod,
    prompting: Prompting,
    terms: Sequence[ConfiguredTerm],
    config: RunConfig,
) -> LocalRound:
    """The first round, as a client gets it from the server."""
    device = next((p.device for p in prompting.parameters()), None)
    tensors = travelling_tensors(prompting, terms)
    own = {name: value.to(device) for name, value in prompting.prompt_tensors().items()}
    exchanged = of_terms(terms, tensors)
    return LocalRound(
        number=1,
        phase=method.phases[0],
        received=own,
        exchanged={t: {n: v.to(device) for n, v in of.items()} for t, of in exchanged.items()},
        kept={
            term.name: {name: start.to(device) for name, start in term.kept(own).items()}
            for term, _ in terms
        },
        multi_label_loss=config.training.multi_label_loss,
    )


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
