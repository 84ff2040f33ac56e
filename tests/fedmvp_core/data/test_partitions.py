"""Partitions as properties: every image at one client at most, no client without images."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_configs import run_config
from torch import Tensor

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.partitions import partition
from fedmvp_core.errors import ConfigError, DataError, FedMVPError

DOMAINS = ("art", "photo", "sketch")
RULES = ("disjoint-classes", "by-domain", "dirichlet", "iid")


def image_set(labels: list[int], domains: list[int] | None = None) -> ImageSet:
    n = len(labels)
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(labels, dtype=torch.int64),
        domains=tuple(DOMAINS[d] for d in (domains or [0] * n)),
        names=tuple(str(i) for i in range(n)),
        class_names=tuple(f"class {i}" for i in range(12)),
    )


pictures = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=0, max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    rule=st.sampled_from(RULES),
    rows=pictures,
    clients=st.integers(1, 12),
    seed=st.integers(0, 5),
    alpha=st.sampled_from([0.001, 0.1, 1.0, 100.0]),
)
def test_shards_are_disjoint_cover_everything_and_none_is_empty(
    rule: str, rows: list[tuple[int, int]], clients: int, seed: int, alpha: float
) -> None:
    images = image_set([label for label, _ in rows], [domain for _, domain in rows])
    config = run_config(partition=rule, seed=seed, dirichlet_alpha=alpha)
    try:
        shards = partition(images, clients, config)
    except FedMVPError:
        shards = []
    possible = can_be_cut(rule, rows, clients)
    assert possible is None or possible == bool(shards), "refused if and only if it cannot be done"
    if not shards:
        return
    assert len(shards) == clients
    assert all(len(shard) for shard in shards)
    assert torch.equal(torch.cat(shards).sort().values, torch.arange(len(rows)))
    again = partition(images, clients, config)
    assert all(torch.equal(one, other) for one, other in zip(shards, again, strict=True))
    if rule == "disjoint-classes":
        check_contiguous_and_balanced([images.labels[s].unique() for s in shards])
    if rule == "by-domain":
        check_one_domain_each(images, shards)


def can_be_cut(rule: str, rows: list[tuple[int, int]], clients: int) -> bool | None:
    """Whether every client can get an image; None where the draw decides."""
    if rule == "dirichlet":
        return None if rows else False
    if rule == "iid":
        return clients <= len(rows)
    if rule == "disjoint-classes":
        return clients <= len({label for label, _ in rows})
    sizes = Counter(domain for _, domain in rows)
    return bool(rows) and clients % len(sizes) == 0 and clients // len(sizes) <= min(sizes.values())


def check_contiguous_and_balanced(held: list[Tensor]) -> None:
    """Client after client, the classes are in order; their numbers differ by one at most."""
    everything = torch.cat(held)
    assert torch.equal(everything, everything.sort().values)
    assert len(everything) == len(everything.unique()), "a class is at one client only"
    sizes = [len(classes) for classes in held]
    assert max(sizes) - min(sizes) <= 1


def check_one_domain_each(images: ImageSet, shards: list[Tensor]) -> None:
    assert all(len({images.domains[i] for i in shard.tolist()}) == 1 for shard in shards)


def test_disjoint_classes_hand_values() -> None:
    images = image_set([4, 0, 1, 1, 2, 3, 0])
    shards = partition(images, 2, run_config(partition="disjoint-classes"))
    assert [shard.tolist() for shard in shards] == [[1, 2, 3, 4, 6], [0, 5]]


def test_more_clients_than_classes_are_refused() -> None:
    images = image_set([0, 0, 1, 1, 2])
    with pytest.raises(ConfigError, match=r"4 clients, .* has 3 classes to give; allowed: 1 to"):
        partition(images, 4, run_config(partition="disjoint-classes"))


@pytest.mark.parametrize("clients", [1, 2, 4, 5])
def test_by_domain_wants_a_multiple_of_the_domains(clients: int) -> None:
    images = image_set([0] * 12, [0, 1, 2] * 4)
    with pytest.raises(ConfigError, match=r"3 domains \(art, photo, sketch\); allowed: a multiple"):
        partition(images, clients, run_config(partition="by-domain"))


def test_by_domain_deals_a_domain_out_to_its_clients() -> None:
    images = image_set([0] * 30, [0, 1, 2] * 10)
    shards = partition(images, 6, run_config(partition="by-domain"))
    held = [{images.domains[i] for i in shard.tolist()} for shard in shards]
    assert held == [{"art"}, {"art"}, {"photo"}, {"photo"}, {"sketch"}, {"sketch"}]
    assert [len(shard) for shard in shards] == [5] * 6


def test_iid_is_even() -> None:
    sizes = [len(s) for s in partition(image_set([0] * 23), 5, run_config(partition="iid"))]
    assert sorted(sizes) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize("rule", ["iid", "dirichlet"])
def test_seeded_rules_follow_the_seed(rule: str) -> None:
    images = image_set(list(range(10)) * 8)

    def cut(seed: int) -> list[list[int]]:
        config = run_config(partition=rule, seed=seed, dirichlet_alpha=5.0)
        return [shard.tolist() for shard in partition(images, 3, config)]

    assert cut(1) == cut(1) != cut(2)


def test_dirichlet_alpha_sets_how_uneven_the_shards_are() -> None:
    images = image_set(list(range(10)) * 100)

    def spread(alpha: float) -> float:
        config = run_config(partition="dirichlet", dirichlet_alpha=alpha)
        counts = [
            torch.bincount(images.labels[shard], minlength=10).float()
            for shard in partition(images, 4, config)
        ]
        return float(torch.stack(counts).std(dim=0).mean())

    assert spread(1000.0) < 3
    assert spread(0.1) > 30


def test_clients_without_images_are_named() -> None:
    with pytest.raises(DataError, match=r"leaves clients 2, 3, 4 of 5 without images; use fewer"):
        partition(image_set([0, 1]), 5, run_config(partition="iid"))


def test_no_images_at_all_are_refused() -> None:
    for rule in RULES:
        with pytest.raises(DataError, match="no training images"):
            partition(image_set([]), 2, run_config(partition=rule))


def test_an_unknown_rule_lists_what_is_installed() -> None:
    with pytest.raises(ConfigError, match="by-domain, dirichlet, disjoint-classes, iid"):
        run_config(partition="by-class")
