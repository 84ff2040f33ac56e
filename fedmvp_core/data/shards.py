"""A shard: one client's local images and the task they are trained against."""

from dataclasses import dataclass

from fedmvp_core.config import BY_DOMAIN, DataSection, RunConfig, dataset_names
from fedmvp_core.data.catalogue import by_dataset
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.label_masks import mask_labels
from fedmvp_core.data.partitions import partition
from fedmvp_core.data.partitions.cut import clients_of
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.data.shots import draw_shots
from fedmvp_core.errors import ConfigError
from fedmvp_core.tasks import Task


@dataclass(frozen=True)
class Shard:
    """What one client holds; labels point into the client's own class names.

    A client knows only its own classes, so its softmax is over them alone (FedMVP, section 4).
    Where images have several labels, every client knows all classes that are trained, because an
    image also teaches which of them it does not show.
    """

    partition_id: int
    images: ImageSet
    validation: ImageSet
    task: Task


def make_shards(setting: Setting, clients: int, config: RunConfig) -> list[Shard]:
    """Cut the training images; then hide labels (`mask-rate`) or leave images out (`shots`).

    The cut comes first, so that a client's images are the same at every mask-rate.

    Raises:
        ConfigError, DataError: see partitions.partition.
    """
    train = setting.train
    data, seed = config.data, config.run.seed
    pieces = partition(train, clients, data, seed)
    if data.mask_rate:
        train = train.with_labels(mask_labels(train.labels, data.mask_rate, seed))
    return [
        _shard(setting, client, train.select(piece), data, seed)
        for client, piece in enumerate(pieces)
    ]


def _shard(
    setting: Setting, partition_id: int, held: ImageSet, data: DataSection, seed: int
) -> Shard:
    validation = _same_kind(setting.validation, held)
    if held.multi_label:
        return Shard(partition_id, held, validation, setting.make_task(held.class_names))
    classes = held.present_classes()
    shots = data.shots if data.shot_sampling == "fedmvp" else 0
    return Shard(
        partition_id=partition_id,
        images=draw_shots(held, shots, seed, partition_id).of_classes(classes),
        validation=validation.of_classes(classes),
        task=setting.make_task(classes),
    )


def _same_kind(validation: ImageSet, held: ImageSet) -> ImageSet:
    """Validation images of the domains that the client holds."""
    return validation.of_domains(sorted(set(held.domains)))


def paper_clients(setting: Setting, data: DataSection) -> int:
    """How many clients FedMVP has for these training classes: about 20 classes each.

    With a partition by domain, so many in each domain. Of several data sets, the sum.

    Raises:
        ConfigError: images have several labels; each paper has a number of its own for these.
    """
    train = setting.train
    if train.multi_label:
        raise ConfigError(
            f"FedMVP has no rule for the number of clients of {data.dataset}, whose images have "
            "several labels; OpenFedML has 2 (VOC 2007, MultiScene), 4 (NUS-WIDE, MLRSNet) and 8 "
            "(COCO)"
        )
    domains = len(set(train.domains)) if data.partition in BY_DOMAIN else 1
    several = len(dataset_names(data)) > 1
    groups = by_dataset(train.class_names).values() if several else [train.class_names]
    return sum(clients_of(len(names)) for names in groups) * domains


def local_evaluations(setting: Setting, shards: list[Shard]) -> tuple[Evaluation, ...]:
    """Each client's own classes as a split of its own ("client-000", ...)."""
    return tuple(
        Evaluation(
            client_name(shard.partition_id), images.of_classes(own), shard.task, dataset=dataset
        )
        for shard in shards
        for own in [shard.task.class_names]
        for dataset, images in setting.local.items()
        if set(own) <= set(images.class_names)
    )


def client_name(partition_id: int) -> str:
    """The name of a client in metrics and reports."""
    return f"client-{partition_id:03d}"
