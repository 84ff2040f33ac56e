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
    validation = Alike(setting.validation)
    return [
        _shard(setting, validation, client, train.select(piece), data, seed)
        for client, piece in enumerate(pieces)
    ]


class Alike:
    """Cuts of one set of images by class and domain; who asks for the same gets the same.

    Of thousands of clients many hold the same classes, and each cut is a copy of pixels.
    """

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self._cuts: dict[tuple[tuple[str, ...] | None, tuple[str, ...] | None], ImageSet] = {}

    def cut(
        self, class_names: tuple[str, ...] | None, domains: tuple[str, ...] | None = None
    ) -> ImageSet:
        """The images of these domains, labelled against these classes; None: of all."""
        key = class_names, domains
        if key not in self._cuts:
            images = self.images if domains is None else self.images.of_domains(domains)
            self._cuts[key] = images if class_names is None else images.of_classes(class_names)
        return self._cuts[key]


def _shard(
    setting: Setting,
    validation: Alike,
    partition_id: int,
    held: ImageSet,
    data: DataSection,
    seed: int,
) -> Shard:
    domains = tuple(sorted(set(held.domains)))  # a client validates on what it holds
    if held.multi_label:
        task = setting.make_task(held.class_names)
        return Shard(partition_id, held, validation.cut(None, domains), task)
    classes = held.present_classes()
    shots = data.shots if data.shot_sampling == "fedmvp" else 0
    return Shard(
        partition_id=partition_id,
        images=draw_shots(held, shots, seed, partition_id).of_classes(classes),
        validation=validation.cut(classes, domains),
        task=setting.make_task(classes),
    )


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
    tested = {dataset: Alike(images) for dataset, images in setting.local.items()}
    return tuple(
        Evaluation(client_name(shard.partition_id), alike.cut(own), shard.task, dataset=dataset)
        for shard in shards
        for own in [shard.task.class_names]
        for dataset, alike in tested.items()
        if set(own) <= set(alike.images.class_names)
    )


def client_name(partition_id: int) -> str:
    """The name of a client in metrics and reports."""
    return f"client-{partition_id:03d}"
