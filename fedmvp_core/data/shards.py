"""A shard: one client's local images and the task they are trained against."""

from dataclasses import dataclass

import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions import partition
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.seeding import generator
from fedmvp_core.tasks import Task


@dataclass(frozen=True)
class Shard:
    """What one client holds; labels point into the client's own class names.

    A client knows only its own classes, so its softmax is over them alone (FedMVP, section 4).
    """

    partition_id: int
    images: ImageSet
    validation: ImageSet
    task: Task


def make_shards(setting: Setting, clients: int, config: RunConfig) -> list[Shard]:
    """Cut the training images, then keep at most `shots` images of a class in each shard.

    Raises:
        ConfigError, DataError: see partitions.partition.
    """
    pieces = partition(setting.train, clients, config)
    return [_shard(setting, client, piece, config) for client, piece in enumerate(pieces)]


def _shard(
    setting: Setting, partition_id: int, positions: torch.Tensor, config: RunConfig
) -> Shard:
    held = setting.train.select(positions)
    classes = held.present_classes()
    return Shard(
        partition_id=partition_id,
        images=few_shot(held, config.shots, config.seed, partition_id).of_classes(classes),
        validation=_same_kind(setting.validation, held).of_classes(classes),
        task=setting.make_task(classes),
    )


def _same_kind(validation: ImageSet, held: ImageSet) -> ImageSet:
    """Validation images of the domains that the client holds."""
    return validation.of_domains(sorted(set(held.domains)))


def few_shot(images: ImageSet, shots: int, seed: int, partition_id: int) -> ImageSet:
    """At most `shots` images of each class, drawn by seed; 0 keeps all."""
    if shots == 0:
        return images
    draw = generator(seed, "few-shot", partition_id=partition_id)
    kept = []
    for label in images.labels.unique():
        members = torch.nonzero(images.labels == label).flatten()
        kept.append(members[torch.randperm(len(members), generator=draw)[:shots]])
    return images.select(torch.cat(kept).sort().values)


def local_evaluations(setting: Setting, shards: list[Shard]) -> tuple[Evaluation, ...]:
    """Each client's own classes as a split of its own ("client-000", ...)."""
    if setting.local is None:
        return ()
    return tuple(
        Evaluation(
            client_name(shard.partition_id),
            setting.local.of_classes(shard.task.class_names),
            shard.task,
        )
        for shard in shards
    )


def client_name(partition_id: int) -> str:
    """The name of a client in metrics and reports."""
    return f"client-{partition_id:03d}"
