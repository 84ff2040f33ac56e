"""Images with several labels: clusters of label sets, and uneven shares of labels."""

import pytest
import torch
from configured import parted
from hypothesis import given, settings
from hypothesis import strategies as st
from run_configs import run_config

from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.errors import ConfigError, FedMVPError

CLASSES = 5
RULES = ("by-domain", "dirichlet-labels", "iid", "kmeans-labels")


def labelled(vectors: list[list[int]]) -> ImageSet:
    n = len(vectors)
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(vectors, dtype=torch.int64).reshape(n, CLASSES),
        domains=("",) * n,
        names=tuple(f"{i:03d}" for i in range(n)),
        class_names=tuple("abcde"),
    )


def vectors(n: int, seed: int = 0) -> list[list[int]]:
    draw = torch.Generator().manual_seed(seed)
    found: list[list[int]] = torch.randint(0, 2, (n, CLASSES), generator=draw).tolist()
    return found


label_sets = st.lists(
    st.lists(st.sampled_from([1, 0, 0, -1]), min_size=CLASSES, max_size=CLASSES),
    min_size=1,
    max_size=40,
)


@settings(max_examples=80)
@given(
    rule=st.sampled_from(RULES),
    rows=label_sets,
    clients=st.integers(1, 8),
    seed=st.integers(0, 3),
    alpha=st.sampled_from([0.001, 0.5, 100.0]),
)
def test_shards_are_disjoint_cover_everything_and_follow_no_file_order(
    rule: str, rows: list[list[int]], clients: int, seed: int, alpha: float
) -> None:
    images = labelled(rows)
    options = f"dirichlet-alpha={alpha}" if rule == "dirichlet-labels" else ""
    config = run_config(partition=rule, seed=seed, partition_options=options)
    different = len({tuple(label == 1 for label in row) for row in rows})
    try:
        shards = parted(images, clients, config)
    except FedMVPError:
        assert rule != "kmeans-labels" or clients > different
        assert rule != "iid" or clients > len(rows)
        return
    assert len(shards) == clients
    assert all(len(shard) for shard in shards)
    assert torch.equal(torch.cat(shards).sort().values, torch.arange(len(rows)))
    backwards = parted(images.select(torch.arange(len(rows)).flip(0)), clients, config)
    mirrored = [(len(rows) - 1 - shard).sort().values for shard in backwards]
    assert all(torch.equal(one, other) for one, other in zip(shards, mirrored, strict=True))


def test_images_with_labels_in_common_go_to_one_client() -> None:
    """Two themes that share no label, with one label missing here and there."""
    rows = [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 0, 0, 0, 0]]
    for seed in range(5):
        shards = parted(labelled(rows), 2, run_config(partition="kmeans-labels", seed=seed))
        assert sorted(shard.tolist() for shard in shards) == [[0, 2, 4], [1, 3]]


def test_more_clusters_than_sets_of_labels_are_refused() -> None:
    rows = [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    message = "3 clients, but the images have 2 different sets of labels .* 1 to 2"
    with pytest.raises(ConfigError, match=message):
        parted(labelled(rows), 3, run_config(partition="kmeans-labels"))


def test_a_low_alpha_sends_a_label_to_one_client() -> None:
    """With one label an image, each label goes where its Dirichlet draw is nearly 1."""
    rows = [[int(label == column) for column in range(CLASSES)] for label in range(CLASSES)] * 30
    images = labelled(rows)

    def largest_share(alpha: float) -> float:
        config = run_config(
            partition="dirichlet-labels", seed=3, **{"partition.dirichlet-alpha": alpha}
        )
        counts = torch.stack([images.labels[s].sum(dim=0) for s in parted(images, 2, config)])
        return float((counts.max(dim=0).values / counts.sum(dim=0)).mean())

    assert largest_share(0.01) > 0.95
    assert largest_share(1000.0) < 0.7


def test_an_image_goes_where_all_of_its_labels_would_have_it() -> None:
    """The frequencies of a client, given the labels, are the mean of its labels' frequencies."""
    alone = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    images = labelled([*alone, [1, 1, 0, 0, 0]] * 600)
    config = run_config(partition="dirichlet-labels", seed=2)
    client_of = torch.zeros(len(images))
    client_of[parted(images, 2, config)[1]] = 1
    first, second, both = (client_of[kind::3].mean() for kind in range(3))
    assert abs(first - second) > 0.2, "or the test says nothing"
    assert abs(both - (first + second) / 2) < 0.06  # three standard deviations of 600 draws


@pytest.mark.parametrize(
    "rule", ["disjoint-classes", "pathological", "dirichlet", "by-domain-and-class"]
)
def test_rules_for_one_label_name_those_for_several(rule: str) -> None:
    message = f"'{rule}' needs images with one label each.*{', '.join(RULES)}"
    with pytest.raises(ConfigError, match=message):
        parted(labelled(vectors(10)), 2, run_config(partition=rule))
