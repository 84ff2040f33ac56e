"""The embedded benchmark: its counts, its pools, its labels, its checksums."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmvp_core.config import RunConfig
from fedmvp_core.data.emoji import assets
from fedmvp_core.data.emoji import domains as emojidomains
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.errors import DataError

STYLES = 6


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return emojidomains._load(64)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(assets.read_asset("emojidomains/concepts.json"))
    return content


def concepts_of(images: ImageSet) -> set[str]:
    return {name.rsplit(" (", 1)[0] for name in images.names}


def test_counts(dataset: Dataset, table: dict[str, Any]) -> None:
    in_use = [c for c in table["concepts"] if c["class"] in table["benchmark"]]
    for images, split in (
        (dataset.train, "train"),
        (dataset.validation, "validation"),
        (dataset.test, "test"),
    ):
        concepts = [c for c in in_use if c["split"] == split and c["pool"] == "evaluation"]
        assert len(images) == STYLES * len(concepts) > 0
        assert images.images.shape == (len(images), 3, 64, 64)
        assert images.images.dtype == torch.uint8
        assert set(images.domain_counts().values()) == {len(concepts)}
    assert len(dataset.class_names) == len(table["benchmark"]) == 36
    assert dataset.domains == emojidomains.STYLES
    assert len(table["concepts"]) == 847


def test_every_class_can_be_trained_and_tested(dataset: Dataset) -> None:
    assert dataset.train.present_classes() == dataset.class_names
    assert dataset.test.present_classes() == dataset.class_names
    assert list(dataset.class_names) == sorted(dataset.class_names)


def test_only_the_evaluation_pool_is_served(dataset: Dataset, table: dict[str, Any]) -> None:
    pretraining = {c["name"] for c in table["concepts"] if c["pool"] == "pretraining"}
    for images in (dataset.train, dataset.validation, dataset.test):
        assert not concepts_of(images) & pretraining


def test_splits_share_no_concept(dataset: Dataset) -> None:
    train, validation, test = (
        concepts_of(images) for images in (dataset.train, dataset.validation, dataset.test)
    )
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_labels_are_those_of_the_table(dataset: Dataset, table: dict[str, Any]) -> None:
    class_of = {c["name"]: c["class"] for c in table["concepts"]}
    for images in (dataset.train, dataset.test):
        for name, label in zip(images.names, images.labels.tolist(), strict=True):
            assert images.class_names[label] == class_of[name.rsplit(" (", 1)[0]]


def test_domains_are_those_of_the_sheets(dataset: Dataset, table: dict[str, Any]) -> None:
    """A tile cut out here, by its index alone, is the picture that the data set names."""
    index_of = {c["name"]: c["index"] for c in table["concepts"]}
    for position in (0, 7, len(dataset.test) - 1):
        concept, style = dataset.test.names[position].removesuffix(")").rsplit(" (", 1)
        assert dataset.test.domains[position] == style
        row, column = divmod(index_of[concept], 32)
        sheet = emojidomains.to_tensor(emojidomains.open_sheet(style))
        tile = sheet[:, 64 * row : 64 * (row + 1), 64 * column : 64 * (column + 1)]
        assert torch.equal(dataset.test.images[position], tile)


def test_pictures_are_pictures(dataset: Dataset) -> None:
    spread = dataset.test.images.float().flatten(1).std(dim=1)
    assert float(spread.min()) > 5, "an empty tile"
    assert len(dataset.test.images.flatten(1).unique(dim=0)) == len(dataset.test)


def test_every_class_has_attributes(dataset: Dataset) -> None:
    assert dataset.attributes is not None
    assert set(dataset.attributes) == set(dataset.class_names)
    assert all(dataset.attributes.values())


def test_another_size(default_config: Callable[..., RunConfig], dataset: Dataset) -> None:
    larger = emojidomains.load(default_config().data, default_config().run, 96)
    assert larger.test.images.shape[1:] == (3, 96, 96)
    assert torch.equal(larger.test.labels, dataset.test.labels)
    emojidomains._load.cache_clear()


# --- damage


@pytest.fixture
def copied_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "assets"
    shutil.copytree(assets.asset_root() / "emojidomains", root / "emojidomains")
    shutil.copy(assets.asset_root() / "manifest.json", root)
    monkeypatch.setattr(assets, "asset_root", lambda: root)
    return root


def test_a_damaged_sheet_is_refused(copied_assets: Path) -> None:
    sheet = copied_assets / "emojidomains" / "noto.webp"
    data = bytearray(sheet.read_bytes())
    data[len(data) // 2] ^= 1
    sheet.write_bytes(data)
    with pytest.raises(DataError, match=r"noto.webp' is damaged: its SHA-256 is \w+, the manifest"):
        assets.read_asset("emojidomains/noto.webp")
    assert assets.read_asset("emojidomains/sketch.webp")


def test_a_missing_sheet_is_refused(copied_assets: Path) -> None:
    (copied_assets / "emojidomains" / "noto.webp").unlink()
    with pytest.raises(DataError, match=r"noto.webp' cannot be read"):
        assets.read_asset("emojidomains/noto.webp")


def test_what_the_manifest_does_not_list_is_refused(copied_assets: Path) -> None:
    with pytest.raises(DataError, match=r"'emojidomains/other.webp' is not a file of the embedded"):
        assets.read_asset("emojidomains/other.webp")


@pytest.mark.parametrize("content", [None, "{", "no json"])
def test_a_manifest_that_cannot_be_read_is_refused(
    copied_assets: Path, content: str | None
) -> None:
    manifest = copied_assets / "manifest.json"
    manifest.unlink() if content is None else manifest.write_text(content)
    with pytest.raises(DataError, match=r"manifest '.*manifest.json' cannot be read"):
        assets.read_asset("emojidomains/noto.webp")
