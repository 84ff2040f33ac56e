"""How many clients a data set has, and each of several."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.data.partitions.cut import clients_of
from fedmvp_core.data.partitions.several import clients_of_each
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError

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
sizes = st.lists(st.integers(1, 60), min_size=1, max_size=6)


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


def test_fedmvp_s_numbers_where_they_fit() -> None:
    classes = {"caltech": 50, "pets": 19, "sun": 199}
    assert clients_of_each(classes, 2 + 1 + 10) == {"caltech": 2, "pets": 1, "sun": 10}


@given(counts=sizes, more=st.integers(0, 40))
def test_clients_are_shared_out_by_classes(counts: list[int], more: int) -> None:
    """No other way to share them out would leave the fullest clients with fewer classes."""
    classes = {f"set {i}": count for i, count in enumerate(counts)}
    clients = len(counts) + more
    each = clients_of_each(classes, clients)
    assert sum(each.values()) == clients
    assert min(each.values()) >= 1
    fullest = max(classes[name] / each[name] for name in classes)
    needed = sum(max(1, -(-count // (fullest - 1e-9))) for count in counts)
    published = clients == sum(max(round(count / 20), 1) for count in counts)
    assert published or needed > clients
    if not published and clients <= sum(counts):
        assert all(each[name] <= classes[name] for name in classes)


def test_fewer_clients_than_data_sets() -> None:
    with pytest.raises(ConfigError, match=r"1 clients for 2 data sets \(a, b\).* allowed: 2"):
        clients_of_each({"a": 3, "b": 3}, 1)
