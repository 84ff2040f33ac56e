"""A node's own data as its shard, where nodes bring data instead of pieces of one data set."""

import logging
from collections.abc import Sequence

from torch import Tensor

from fedmvp_core.attributes.chosen import attributes_of
from fedmvp_core.config import DataSection, RunConfig
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.label_masks import mask_labels
from fedmvp_core.data.plugins import load_dataset
from fedmvp_core.data.settings.domains import source_domains
from fedmvp_core.data.settings.parts import task_maker
from fedmvp_core.data.shards import Shard
from fedmvp_core.data.shots import draw_shots
from fedmvp_core.errors import ConfigError, DataError

OWN = "own"
logger = logging.getLogger(__name__)


def own(images: ImageSet, clients: int, seed: int) -> list[Tensor]:
    """Refuse to cut: the partition "own" is for nodes that bring their own data.

    Raises:
        ConfigError: always.
    """
    raise ConfigError(
        f"partition '{OWN}' is for deployments, whose nodes have data of their own (data-dir in "
        "their node config); choose another to simulate with one data set"
    )


def own_shard(
    config: RunConfig,
    image_size: int,
    partition_id: int,
    classes: Sequence[str],
    federation: Sequence[str],
) -> Shard:
    """All training images of the node's data set (`shots` of each class, if that is set).

    The setting's test domains are left out: they must be new to the clients.

    Args:
        config: with the node's own data-dir and dataset.
        classes: those to serve; empty = all that are there.
        federation: names of all classes that the server trains on.

    Raises:
        ConfigError: a class is not there, or is none of the federation's.
        DataError: the data cannot be read, or nothing is left to train on.
    """
    data, seed = config.data, config.run.seed
    dataset = load_dataset(data, config.run, image_size)
    for warning in dataset.warnings:
        logger.warning("%s: %s", dataset.name, warning)
    train, validation = (_sources(part, data) for part in (dataset.train, dataset.validation))
    served = tuple(classes) or train.present_classes()
    _check_classes(served, dataset, federation)
    held = train.of_classes(served)
    if len(held) == 0:
        raise DataError(f"'{data.data_dir or data.dataset}' holds no training images to serve")
    task = task_maker(attributes_of(data, dataset), data, held.multi_label)(served)
    if held.multi_label:
        held = held.with_labels(mask_labels(held.labels, data.mask_rate, seed))
    else:
        held = draw_shots(held, data.shots, seed, partition_id)
    return Shard(partition_id, held, validation.of_classes(served), task)


def _sources(images: ImageSet, data: DataSection) -> ImageSet:
    """Without the domains that the setting tests on."""
    domains = sorted(set(images.domains))
    sources = source_domains(data, domains)
    return images if sources == domains else images.of_domains(sources)


def _check_classes(served: Sequence[str], dataset: Dataset, federation: Sequence[str]) -> None:
    absent = [name for name in served if name not in dataset.class_names]
    if absent:
        raise ConfigError(
            f"classes names {', '.join(absent)}, which {dataset.name} does not hold; it holds "
            f"{', '.join(dataset.class_names)}"
        )
    foreign = [name for name in served if name not in federation]
    if foreign:
        raise ConfigError(
            f"this node's classes {', '.join(foreign)} are not trained by the federation, which "
            f"trains {', '.join(federation)}; name those to serve in the node config "
            '(classes="a,b") or rename the folders'
        )
