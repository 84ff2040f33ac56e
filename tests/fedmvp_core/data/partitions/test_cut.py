"""The cut of classes: FedMVP's where the number of clients is its own, even parts elsewhere."""

import pytest
import torch
from configured import parted
from run_configs import run_config

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions.cut import cut_classes
from fedmvp_core.errors import ConfigError

# Classes of FedMVP's federations -> how many each of its clients holds.
RELEASED = {
    "caltech101": (50, [20, 30]),
    "oxford_flowers": (51, [20, 20, 11]),
    "fgvc_aircraft": (50, [20, 30]),
    "ucf101": (51, [20, 20, 11]),
    "oxford_pets": (19, [19]),
    "food101": (51, [20, 20, 11]),
    "dtd": (24, [24]),
    "stanford_cars": (98, [20, 20, 20, 20, 18]),
    "sun397": (199, [*[20] * 9, 19]),
    "imagenet": (1000, [20] * 50),
    "officehome": (65, [20, 20, 25]),
    "domainnet": (345, [*[20] * 16, 25]),
}


def one_of_each(classes: int, domains: int = 1) -> ImageSet:
    """An image of every class in every domain."""
    n = classes * domains
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.arange(classes).repeat(domains),
        domains=tuple(f"domain {at // classes}" for at in range(n)),
        names=tuple(f"{at:05d}" for at in range(n)),
        class_names=tuple(f"class {label}" for label in range(classes)),
    )


@pytest.mark.parametrize("cut", ["auto", "published"])
@pytest.mark.parametrize("name", RELEASED)
def test_classes_of_the_published_clients(name: str, cut: str) -> None:
    classes, sizes = RELEASED[name]
    config = run_config(**{"partition": "disjoint-classes", "partition.cut": cut})
    shards = parted(one_of_each(classes), len(sizes), config)
    assert [len(shard) for shard in shards] == sizes
    assert torch.cat(shards).tolist() == list(range(classes))


@pytest.mark.parametrize("name", ["officehome", "domainnet"])
def test_classes_of_the_published_clients_of_each_domain(name: str) -> None:
    classes, sizes = RELEASED[name]
    config = run_config(partition="by-domain-and-class")
    shards = parted(one_of_each(classes, domains=3), 3 * len(sizes), config)
    assert [len(shard) for shard in shards] == sizes * 3


@pytest.mark.parametrize(
    ("clients", "cut", "sizes"),
    [
        (3, "auto", [17, 17, 16]),
        (5, "auto", [10] * 5),
        (2, "equal", [25, 25]),
        (1, "published", [50]),
        (3, "published", [20, 20, 10]),
    ],
)
def test_other_numbers_of_clients_and_other_cuts(clients: int, cut: str, sizes: list[int]) -> None:
    config = run_config(**{"partition.cut": cut})
    assert [len(shard) for shard in parted(one_of_each(50), clients, config)] == sizes


def test_no_published_number_leaves_a_client_without_classes() -> None:
    for classes in range(1, 500):
        clients = max(round(classes / 20), 1)
        groups = cut_classes(torch.arange(classes), clients, "published")
        assert len(groups) == clients
        assert min(map(len, groups)) >= min(classes, 10)
        assert max(map(len, groups)) <= 30


@pytest.mark.parametrize(
    ("partition", "domains", "clients", "message"),
    [
        ("disjoint-classes", 1, 4, "4 clients, .* 20 classes to each, .* are 50; allowed: 1 to 3 "),
        (
            "by-domain-and-class",
            2,
            8,
            "domain 'domain 0': 4 clients, .* are 50; allowed: 1 to 3 .2 as published.",
        ),
    ],
)
def test_a_client_without_classes_is_refused(
    partition: str, domains: int, clients: int, message: str
) -> None:
    config = run_config(**{"partition": partition, "partition.cut": "published"})
    with pytest.raises(ConfigError, match=message):
        parted(one_of_each(50, domains), clients, config)
