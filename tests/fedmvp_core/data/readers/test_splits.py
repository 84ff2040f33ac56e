"""Splits by the hash of a picture's name."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fedmvp_core.data.readers.splits import (
    COOP_SHARES,
    COOP_TRAIN_SHARE,
    DOMAIN_SHARES,
    Entry,
    seeded_split,
    split_by_class,
)

names = st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=60)


@settings(max_examples=40)
@given(files=names, turn=st.integers(0, 60))
def test_every_picture_goes_to_one_group_whatever_the_order(files: list[str], turn: int) -> None:
    shuffled = [*reversed(files[turn:]), *files[:turn]]
    groups = seeded_split(files, DOMAIN_SHARES, "pacs/photo")
    assert seeded_split(shuffled, DOMAIN_SHARES, "pacs/photo") == groups
    assert Counter(file for group in groups for file in group) == Counter(files)


@settings(max_examples=60)
@given(number=st.integers(0, 200))
def test_sizes_are_coops(number: int) -> None:
    """round() of every share, half to even, the rest to the test part; the first is never empty."""
    files = [f"image_{i:04d}.jpg" for i in range(number)]
    sizes = [len(group) for group in seeded_split(files, COOP_SHARES, "dtd")]
    train = max(round(0.5 * number), min(number, 1))
    validation = min(round(0.2 * number), number - train)
    assert sizes == [train, validation, number - train - validation]
    # CoOp takes round(0.2 n) of the training pictures for validation; the same numbers.
    kept, held_out = seeded_split(files, COOP_TRAIN_SHARE, "oxford_pets")
    if number > 2:
        assert len(held_out) == round(0.2 * number)
    assert len(kept) + len(held_out) == number


def test_a_class_of_one_picture_is_trained_on() -> None:
    assert seeded_split(["only.jpg"], COOP_SHARES, "x") == [["only.jpg"], [], []]
    assert seeded_split([], COOP_SHARES, "x") == [[], [], []]


def test_seed_and_purpose_change_the_draw() -> None:
    files = [f"{i}.jpg" for i in range(100)]
    draws = [
        seeded_split(files, (0.5,), "a", 1)[0],
        seeded_split(files, (0.5,), "a", 2)[0],
        seeded_split(files, (0.5,), "b", 1)[0],
    ]
    assert draws[0] != draws[1] != draws[2] != draws[0]
    # As far apart as two random halves are: 25 of 50 in common, give or take.
    assert 12 < len(set(draws[0]) & set(draws[1])) < 38


def test_the_draw_is_pinned() -> None:
    """Runs of other versions must have trained on the same pictures."""
    files = [f"pic_{i:03d}.jpg" for i in range(10)]
    assert seeded_split(files, DOMAIN_SHARES, "pacs/photo")[2] == ["pic_002.jpg", "pic_003.jpg"]


def test_a_new_picture_moves_few_others() -> None:
    files = [f"{i}.jpg" for i in range(200)]
    before = seeded_split(files, (0.5,), "a")[0]
    after = seeded_split([*files, "new.jpg"], (0.5,), "a")[0]
    assert len(set(before) ^ set(after)) <= 2


def test_classes_are_split_each_by_itself() -> None:
    entries = [Entry(f"{label}/{i}.jpg", label) for i in range(10) for label in (2, 0)]
    groups = split_by_class(entries, COOP_SHARES, "dtd")
    assert [Counter(entry.label for entry in group) for group in groups] == [
        {0: 5, 2: 5},
        {0: 2, 2: 2},
        {0: 3, 2: 3},
    ]
    assert [entry.label for entry in groups[0]] == [0] * 5 + [2] * 5
    assert all(entry.file.startswith(f"{entry.label}/") for group in groups for entry in group)
