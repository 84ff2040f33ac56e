"""How many clients a data set has, and the cut of several: each among clients of its own."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fedmvp_core.data.catalogue import by_dataset
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.cut import clients_of
from fedmvp_core.errors import ConfigError, FedMVPError


def cut_each(
    rule: Callable[[ImageSet, int, int], list[Tensor]], images: ImageSet, clients: int, seed: int
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
            pieces = rule(images.of_classes(names), each[dataset], seed)
        except FedMVPError as error:
            raise type(error)(f"{dataset}: {error}") from None
        shards += [rows[piece] for piece in pieces]
    return shards


def clients_of_each(classes: Mapping[str, int], clients: int) -> dict[str, int]:
    """Data set -> its clients, from its number of training classes.

    If `clients` is the sum of FedMVP's numbers (`clients_of`), these are used. Otherwise every data
    set gets one client, and each further client goes to the data set that has the most classes a
    client so far.

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
