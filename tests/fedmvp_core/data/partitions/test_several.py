"""How many clients each of several data sets gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedmvp_core.data.partitions.several import clients_of_each
from fedmvp_core.errors import ConfigError

sizes = st.lists(st.integers(1, 60), min_size=1, max_size=6)


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
