"""Partitions as properties: every image at one client at most, no client without images."""

from collections import Counter

import pytest
import torch
from configured import parted
from hypothesis import given, settings
from hypothesis import strategies as st
from run_configs import run_config
from torch import Tensor

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.errors import ConfigError, DataError, FedMVPError

DOMAINS = ("art", "photo", "sketch")
RULES = (
    "by-domain",
    "by-domain-and-class",
    "dirichlet",
    "dirichlet-labels",
    "disjoint-classes",
    "iid",
    "kmeans-labels",
    "pathological",
)


def image_set(labels: list[int], domains: list[int] | None = None) -> ImageSet:
    n = len(labels)
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(labels, dtype=torch.int64),
        domains=tuple(DOMAINS[d] for d in (domains or [0] * n)),
        names=tuple(str(i) for i in range(n)),
        class_names=tuple(f"class {i}" for i in range(12)),
    )


def knobs(rule: str, alpha: float = 5.0, each: int = 4) -> str:
    """The options of a rule."""
    if rule.startswith("dirichlet"):
        return f"dirichlet-alpha={alpha}"
    return f"classes-per-client={each}" if rule == "pathological" else ""


pictures = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=0, max_size=60)


@settings(max_examples=150)
@given(
    rule=st.sampled_from(RULES),
    rows=pictures,
    clients=st.integers(1, 12),
    seed=st.integers(0, 5),
    alpha=st.sampled_from([0.001, 0.1, 1.0, 100.0]),
    each=st.integers(1, 4),
)
def test_shards_are_disjoint_cover_everything_and_none_is_empty(
    rule: str, rows: list[tuple[int, int]], clients: int, seed: int, alpha: float, each: int
) -> None:
    images = image_set([label for label, _ in rows], [domain for _, domain in rows])
    config = run_config(partition=rule, seed=seed, partition_options=knobs(rule, alpha, each))
    try:
        shards = parted(images, clients, config)
    except FedMVPError:
        shards = []
    possible = can_be_cut(rule, rows, clients, each)
    assert possible is None or possible == bool(shards), "refused if and only if it cannot be done"
    if not shards:
        return
    assert len(shards) == clients
    assert all(len(shard) for shard in shards)
    assert torch.equal(torch.cat(shards).sort().values, torch.arange(len(rows)))
    again = parted(images, clients, config)
    assert all(torch.equal(one, other) for one, other in zip(shards, again, strict=True))
    if rule == "disjoint-classes":
        check_contiguous_and_balanced([images.labels[s].unique() for s in shards])
    if rule.startswith("by-domain"):
        check_one_domain_each(images, shards)
    if rule == "pathological":
        held = [set(images.labels[s].tolist()) for s in shards]
        assert {len(labels) for labels in held} == {each}
        holders = Counter(label for labels in held for label in labels)
        assert max(holders.values()) - min(holders.values()) <= 1


def can_be_cut(rule: str, rows: list[tuple[int, int]], clients: int, each: int) -> bool | None:
    """Whether every client can get an image; None where the draw decides."""
    classes = {label for label, _ in rows}
    if rule.startswith("dirichlet"):
        return None if rows else False
    if rule == "iid":
        return clients <= len(rows)
    if rule in ("disjoint-classes", "kmeans-labels"):
        return clients <= len(classes)
    if rule == "pathological":
        return None if each <= len(classes) <= clients * each else False
    sizes = Counter(domain for _, domain in (set(rows) if rule.endswith("class") else rows))
    return bool(rows) and clients % len(sizes) == 0 and clients // len(sizes) <= min(sizes.values())


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_files_is_no_part_of_the_draw(rule: str) -> None:
    rows = [(label, domain) for label in range(8) for domain in range(3) for _ in range(5)]
    images = image_set([label for label, _ in rows], [domain for _, domain in rows])
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(4))
    shuffled = images.select(order)
    config = run_config(partition=rule, partition_options=knobs(rule))

    def cut(images: ImageSet) -> list[set[str]]:
        return [{images.names[i] for i in s.tolist()} for s in parted(images, 6, config)]

    assert cut(images) == cut(shuffled)


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
    shards = parted(images, 2, run_config(partition="disjoint-classes"))
    assert [shard.tolist() for shard in shards] == [[1, 2, 3, 4, 6], [0, 5]]


def test_more_clients_than_classes_are_refused() -> None:
    images = image_set([0, 0, 1, 1, 2])
    with pytest.raises(ConfigError, match=r"4 clients, .* has 3 classes to give; allowed: 1 to"):
        parted(images, 4, run_config(partition="disjoint-classes"))


@pytest.mark.parametrize("clients", [1, 2, 4, 5])
def test_by_domain_wants_a_multiple_of_the_domains(clients: int) -> None:
    images = image_set([0] * 12, [0, 1, 2] * 4)
    with pytest.raises(ConfigError, match=r"3 domains \(art, photo, sketch\); allowed: a multiple"):
        parted(images, clients, run_config(partition="by-domain"))


def test_by_domain_deals_a_domain_out_to_its_clients() -> None:
    images = image_set([0] * 30, [0, 1, 2] * 10)
    shards = parted(images, 6, run_config(partition="by-domain"))
    held = [{images.domains[i] for i in shard.tolist()} for shard in shards]
    assert held == [{"art"}, {"art"}, {"photo"}, {"photo"}, {"sketch"}, {"sketch"}]
    assert [len(shard) for shard in shards] == [5] * 6


def test_the_clients_of_a_domain_share_its_classes() -> None:
    """FedMVP on OfficeHome: three domains, three clients each, classes in contiguous groups."""
    rows = [(label, domain) for domain in range(3) for label in range(5)] * 2
    images = image_set([label for label, _ in rows], [domain for _, domain in rows])
    shards = parted(images, 9, run_config(partition="by-domain-and-class"))
    held = [
        ({images.domains[i] for i in s.tolist()}, images.labels[s].unique().tolist())
        for s in shards
    ]
    groups = [[0, 1], [2, 3], [4]]
    assert held == [({domain}, group) for domain in DOMAINS for group in groups]
    assert [len(s) for s in shards] == [4, 4, 2] * 3


def test_more_clients_of_a_domain_than_it_has_classes_are_refused() -> None:
    images = image_set([0, 1, 0, 1, 2], [0, 0, 1, 1, 1])
    message = "6 clients are 3 for each domain, but 'art' has 2 classes to give; allowed: at most 2"
    with pytest.raises(ConfigError, match=message):
        parted(images, 6, run_config(partition="by-domain-and-class"))


def test_classes_per_client_leave_no_class_out() -> None:
    images = image_set(list(range(10)) * 4)
    for each in (1, 11):
        config = run_config(partition="pathological", **{"partition.classes-per-client": each})
        with pytest.raises(ConfigError, match=rf"is {each}; allowed with .* 5 clients: 2 .* to 10"):
            parted(images, 5, config)


def test_a_class_of_fewer_images_than_holders_is_named() -> None:
    config = run_config(partition="pathological")
    with pytest.raises(DataError, match="'class 1' has 1 images for 3 clients"):
        parted(image_set([0, 0, 0, 1]), 3, config)


def test_iid_is_even() -> None:
    sizes = [len(s) for s in parted(image_set([0] * 23), 5, run_config(partition="iid"))]
    assert sorted(sizes) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize("rule", ["iid", "dirichlet", "dirichlet-labels", "pathological"])
def test_seeded_rules_follow_the_seed(rule: str) -> None:
    images = image_set(list(range(10)) * 8)

    def cut(seed: int) -> list[list[int]]:
        config = run_config(partition=rule, seed=seed, partition_options=knobs(rule))
        return [shard.tolist() for shard in parted(images, 3, config)]

    assert cut(1) == cut(1) != cut(2)


@pytest.mark.parametrize("rule", ["dirichlet", "dirichlet-labels"])
def test_dirichlet_alpha_sets_how_uneven_the_shards_are(rule: str) -> None:
    images = image_set(list(range(10)) * 100)

    def spread(alpha: float) -> float:
        config = run_config(partition=rule, partition_options=knobs(rule, alpha))
        counts = [
            torch.bincount(images.labels[shard], minlength=10).float()
            for shard in parted(images, 4, config)
        ]
        return float(torch.stack(counts).std(dim=0).mean())

    # Drawn image by image, even shares of 100 still differ by chance.
    assert spread(1000.0) < (3 if rule == "dirichlet" else 7)
    assert spread(0.1) > 30


def test_clients_without_images_are_named() -> None:
    with pytest.raises(DataError, match=r"leaves clients 2, 3, 4 of 5 without images; use fewer"):
        parted(image_set([0, 1]), 5, run_config(partition="iid"))


def test_no_images_at_all_are_refused() -> None:
    for rule in RULES:
        with pytest.raises(DataError, match="no training images"):
            parted(image_set([]), 2, run_config(partition=rule))


def test_an_unknown_rule_lists_what_is_installed() -> None:
    with pytest.raises(ConfigError, match=", ".join(sorted([*RULES, "own"]))):
        run_config(partition="by-class")
