"""FedMVP's number of clients."""

import math

import pytest

from fedmvp_core.data.readers import READERS
from fedmvp_core.data.readers.clients import clients_of

BASE_TO_NEW = {
    "caltech101": 2,
    "oxford_flowers": 3,
    "fgvc_aircraft": 2,
    "ucf101": 3,
    "oxford_pets": 1,
    "food101": 3,
    "dtd": 1,
    "stanford_cars": 5,
    "sun397": 10,
}


def test_the_nine_data_sets_have_thirty_clients() -> None:
    """FedMVP, base-to-new: clients hold base classes, the first ceil(n / 2)."""
    found = {
        name: clients_of(math.ceil(READERS[name].expected_classes / 2)) for name in BASE_TO_NEW
    }
    assert found == BASE_TO_NEW
    assert sum(found.values()) == 30


@pytest.mark.parametrize(
    ("name", "clients"),
    [
        ("pacs", 1),
        ("officehome", 3),
        ("vlcs", 1),
        ("terraincognita", 1),
        ("domainnet", 17),
        ("imagenet", 50),
    ],
)
def test_clients_of_a_domain_and_of_imagenet(name: str, clients: int) -> None:
    assert clients_of(READERS[name].expected_classes) == clients


def test_halves_are_rounded_to_even() -> None:
    assert [clients_of(classes) for classes in (1, 10, 30, 50, 70)] == [1, 1, 2, 2, 4]
