"""Partial labels, and seen and unseen classes."""

import itertools
import json
from pathlib import Path

import pytest
import torch

from fedmvp_core.data.label_masks import (
    LabelSplit,
    default_label_split,
    label_columns,
    mask_labels,
    read_label_split,
    rows_for_training,
)
from fedmvp_core.errors import ConfigError, DataError

NAMES = ("ant", "bee", "cow", "dog", "eel", "fox", "gnu", "hen")


def labels(n: int = 500) -> torch.Tensor:
    return torch.randint(0, 2, (n, 20), generator=torch.Generator().manual_seed(0))


# --- partial labels


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_about_that_share_is_hidden_of_positives_and_negatives_alike(rate: float) -> None:
    whole = labels()
    masked = mask_labels(whole, rate, seed=1)
    hidden = masked < 0
    for value in (0, 1):
        # 5,000 of each: three standard deviations are at most 0.022
        assert float(hidden[whole == value].double().mean()) == pytest.approx(rate, abs=0.022)
    assert torch.equal(masked[~hidden], whole[~hidden])


def test_the_seed_alone_decides() -> None:
    whole = labels()
    masked = mask_labels(whole, 0.4, seed=1)
    assert torch.equal(masked, mask_labels(whole, 0.4, seed=1))
    assert not torch.equal(masked, mask_labels(whole, 0.4, seed=2))
    # not what the labels are: the same places are hidden
    assert torch.equal(masked < 0, mask_labels(1 - whole, 0.4, seed=1) < 0)


def test_a_higher_rate_hides_what_a_lower_one_does() -> None:
    hidden = [mask_labels(labels(), rate, seed=3) < 0 for rate in (0.0, 0.1, 0.3, 0.9)]
    assert not hidden[0].any()
    for fewer, more in itertools.pairwise(hidden):
        assert (more | ~fewer).all()


def test_unknown_labels_stay_unknown_and_the_original_stays_whole() -> None:
    whole = labels(30)
    whole[0] = -1
    before = whole.clone()
    assert (mask_labels(whole, 0.2, seed=1)[0] == -1).all()
    assert torch.equal(whole, before)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_share_is_a_share(rate: float) -> None:
    with pytest.raises(ConfigError, match=f"labels to hide is {rate}; allowed: 0 or more, below 1"):
        mask_labels(labels(), rate, seed=1)


# --- seen and unseen classes


@pytest.mark.parametrize(("n", "seen"), [(8, 6), (36, 27), (65, 49), (2, 1), (3, 2)])
def test_default_split(n: int, seen: int) -> None:
    names = [f"class {i:02d}" for i in range(n)]
    split = default_label_split(names, seed=1)
    assert len(split.seen) == seen
    assert sorted(split.seen + split.unseen) == names
    assert list(split.seen) == sorted(split.seen)
    assert split == default_label_split(names, seed=1)


def test_another_seed_splits_otherwise() -> None:
    assert len({default_label_split(NAMES, seed).unseen for seed in range(10)}) > 3


def test_one_class_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 classes cannot be split"):
        default_label_split(NAMES[:1], seed=1)


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "split.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_is_read_in_the_order_of_the_data_set(tmp_path: Path) -> None:
    path = write(tmp_path, {"seen": ["fox", "ant"], "unseen": ["hen", "cow"]})
    assert read_label_split(path, NAMES) == LabelSplit(("ant", "fox"), ("cow", "hen"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        (["ant"], "must be {'seen'"),
        ({"seen": ["ant"]}, "must be {'seen'"),
        ({"seen": ["ant"], "unseen": []}, "'unseen' in label split .* is no list"),
        ({"seen": "ant", "unseen": ["bee"]}, "'seen' in label split .* is no list"),
        ({"seen": [1], "unseen": ["bee"]}, "'seen' in label split .* is no list"),
        (
            {"seen": ["yak", "ant", "owl"], "unseen": ["bee"]},
            "does not have: owl, yak; it has: ant",
        ),
        ({"seen": ["ant", "ant"], "unseen": ["bee"]}, "'seen' in .* repeats: ant"),
        ({"seen": ["ant", "bee"], "unseen": ["bee"]}, "both seen and unseen: bee"),
    ],
)
def test_what_is_no_split_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_label_split(write(tmp_path, content), NAMES)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"label split '.*none.json' cannot be read"):
        read_label_split(tmp_path / "none.json", NAMES)


def test_columns() -> None:
    assert label_columns(NAMES, ("cow", "ant")).tolist() == [2, 0]
    with pytest.raises(DataError, match="no such classes: yak; known: ant, bee"):
        label_columns(NAMES, ("yak",))


def test_training_never_shows_what_is_unseen() -> None:
    split = LabelSplit(seen=("ant", "cow"), unseen=("bee",))
    rows = torch.tensor([[1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0], [1, -1, 0]])
    found = rows_for_training(rows, ("ant", "bee", "cow"), split)
    assert found.tolist() == [True, True, False, False, False, True]


def test_a_label_split_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    file.write_text('{"seen": ["ant"], "unseen": ["bee"]}', encoding="utf-8-sig")
    assert read_label_split(file, ("ant", "bee")).seen == ("ant",)
