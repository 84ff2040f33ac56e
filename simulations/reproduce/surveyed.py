"""How much there is to train and to test on, and what the splits are: of each setting once."""

from dataclasses import dataclass, replace

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import DataSection, RunConfig
from fedmvp_core.data.fingerprints import Fingerprint, fingerprints
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.data.shards import Shard, make_shards
from server_app.evaluation.clean import tested_splits

# What data there is under one of these keys: the data section, the seed, the number of clients.
DataKey = tuple[DataSection, int, int]


@dataclass(frozen=True)
class Surveyed:
    """One setting and cut, in numbers of images.

    of_clients: of each client to train on. tested: in one evaluation. splits: fingerprints.
    """

    dataset: str
    of_clients: tuple[int, ...]
    tested: int
    splits: dict[str, Fingerprint]


def data_key(config: RunConfig, clients: int) -> DataKey:
    """What makes one cut of images another than the next; sentences do not."""
    data = replace(config.data, attributes="", attribute_template="", attribute_weight=0.0)
    return data, config.run.seed, clients


def opened(config: RunConfig, clients: int, backbone: Backbone) -> tuple[Setting, list[Shard]]:
    """The setting and the shards of a run; no picture is decoded yet.

    Raises:
        FedMVPError: the data cannot be read or cut.
    """
    setting = load_setting(config, backbone.image_size)
    return setting, make_shards(setting, clients, config)


def survey(config: RunConfig, setting: Setting, shards: list[Shard]) -> Surveyed:
    """Count what `opened` gave."""
    splits, local = tested_splits(setting, shards)
    return Surveyed(
        dataset=config.data.dataset,
        of_clients=tuple(len(shard.images) for shard in shards),
        tested=sum(len(split.images) for split in (*splits, *local)),
        splits=fingerprints(setting),
    )
