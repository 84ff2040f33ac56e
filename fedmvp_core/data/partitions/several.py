"""The cut of several data sets: each among clients of its own, so that none holds two of them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.data.catalogue import by_dataset
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.readers.clients import clients_of
from fedmvp_core.errors import ConfigError, FedMVPError


def cut_each(
    rule: Callable[[ImageSet, int, RunConfig], list[Tensor]],
    images: ImageSet,
    clients: int,
    config: RunConfig,
) -> list[Tensor]:
    """Positions of each client's images; the clients of a data set follow one another.

    images: with qualified class names. A data set is cut as it would be alone among so many
    clients, see clients_of_each.

    Raises:
        ConfigError: fewer clients than data sets.
        ConfigError, DataError: what the rule raises, with the data set's name in front.
    """
    classes = by_dataset(images.class_names)
    each = clients_of_each({dataset: len(names) for dataset, names in classes.items()}, clients)
    shards = []
    for dataset, names in classes.items():
        labels = torch.tensor([images.class_names.index(name) for name in names])
        rows = torch.nonzero(torch.isin(images.labels, labels)).flatten()
        try:
            pieces = rule(images.of_classes(names), each[dataset], config)
        except FedMVPError as error:
            raise type(error)(f"{dataset}: {error}") from None
        shards += [rows[piece] for piece in pieces]
    return shards


def clients_of_each(classes: Mapping[str, int], clients: int) -> dict[str, int]:
    """Data set -> its clients, from its number of training classes.

    FedMVP's numbers, of about 20 classes a client, where `clients` is their sum. Otherwise one
    each, and each further client goes where the classes a client are most: in proportion, that is,
    as nearly as whole clients allow.

    Raises:
        ConfigError: fewer clients than data sets.
    """
    if clients < len(classes):
        raise ConfigError(
            f"{clients} clients for {len(classes)} data sets ({', '.join(classes)}), but none may "
            f"hold images of two; allowed: {len(classes)} clients or more"
        )
    published = {dataset: clients_of(count) for dataset, count in classes.items()}
    if clients == sum(published.values()):
        return published
    each = dict.fromkeys(classes, 1)
    for _ in range(clients - len(classes)):
        each[max(each, key=lambda dataset: classes[dataset] / each[dataset])] += 1
    return each
