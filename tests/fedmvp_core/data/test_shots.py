"""A few images of each class: within a client, and as CoOp draws them."""

import random
from collections import Counter, defaultdict
from typing import NamedTuple

import pytest
import torch

from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.shots import draw_coop_shots, draw_shots


def image_set(labels: list[int], prefix: str = "") -> ImageSet:
    return ImageSet(
        images=torch.zeros(len(labels), 3, 1, 1, dtype=torch.uint8),
        labels=torch.tensor(labels, dtype=torch.int64),
        domains=("",) * len(labels),
        names=tuple(f"{prefix}{i}" for i in range(len(labels))),
        class_names=tuple(f"class {i}" for i in range(5)),
    )


def of_counts(counts: list[int]) -> ImageSet:
    return image_set([label for label, count in enumerate(counts) for _ in range(count)])


# --- within a client


@pytest.mark.parametrize("shots", [1, 3, 8])
def test_shots_cap_each_class(shots: int) -> None:
    kept = draw_shots(of_counts([5, 2, 9]), shots, seed=1, partition_id=0)
    counts = Counter(kept.labels.tolist())
    assert counts == {0: min(shots, 5), 1: min(shots, 2), 2: min(shots, 9)}
    assert len(set(kept.names)) == len(kept)


def test_zero_shots_keep_everything() -> None:
    images = of_counts([5, 2])
    assert draw_shots(images, 0, seed=1, partition_id=0) is images
    whole = Dataset("toy", images, images, images)
    assert draw_coop_shots(whole, 0, seed=1) is whole


def test_shots_are_drawn_by_seed_and_client() -> None:
    images = of_counts([50, 50])

    def drawn(seed: int, partition_id: int) -> tuple[str, ...]:
        return draw_shots(images, 8, seed, partition_id).names

    assert drawn(1, 0) == drawn(1, 0)
    assert len({drawn(1, 0), drawn(2, 0), drawn(1, 1)}) == 3


# --- CoOp's


class Datum(NamedTuple):
    """What CoOp's lists hold."""

    name: str
    label: int


def items(images: ImageSet) -> list[Datum]:
    return [Datum(*pair) for pair in zip(images.names, images.labels.tolist(), strict=True)]


def reference(train: list[Datum], validation: list[Datum], shots: int, seed: int) -> list[set[str]]:
    """The protocol in words: one seeding; class by class as they appear; training images first."""
    random.seed(seed)
    chosen = []
    for data, k in ((train, shots), (validation, min(shots, 4))):
        by_label: dict[int, list[Datum]] = defaultdict(list)
        for datum in data:
            by_label[datum.label].append(datum)
        drawn: list[Datum] = []
        for group in by_label.values():
            drawn += random.sample(group, k) if len(group) >= k else group
        chosen.append({datum.name for datum in drawn})
    return chosen


@pytest.mark.parametrize("shots", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coop_s_shots_are_those_of_the_protocol(shots: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    train, validation = (
        image_set(torch.randint(0, 5, (n,), generator=draw).tolist(), prefix)
        for n, prefix in ((70, "train-"), (25, "validation-"))
    )
    whole = Dataset("toy", train, validation, test=train)
    found = draw_coop_shots(whole, shots, seed)
    wanted = reference(items(train), items(validation), shots, seed)
    assert [set(found.train.names), set(found.validation.names)] == wanted
    assert found.test is train
    for images, original in ((found.train, train), (found.validation, validation)):
        label_of = dict(zip(original.names, original.labels.tolist(), strict=True))
        assert [label_of[name] for name in images.names] == images.labels.tolist()


def test_coop_s_shots_leave_the_global_generator_alone() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    images = of_counts([9, 9])
    draw_coop_shots(Dataset("toy", images, images, images), 4, seed=1)
    assert random.random() == expected
