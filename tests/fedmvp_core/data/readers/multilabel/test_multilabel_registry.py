"""The registry carries OpenFedML's protocol; a reader is found by its name."""

from pathlib import Path

import pytest

from fedmvp_core.data.readers import READERS as SINGLE_LABEL
from fedmvp_core.data.readers.multilabel import READERS
from fedmvp_core.errors import DataError


def test_every_entry() -> None:
    assert {name: entry.expected_classes for name, entry in READERS.items()} == {
        "voc2007": 20,
        "coco2014": 80,
        "nuswide": 81,
        "multiscene": 36,
        "mlrsnet": 60,
    }
    assert all("{class}" in entry.template for entry in READERS.values())
    assert not READERS.keys() & SINGLE_LABEL.keys()


@pytest.mark.parametrize(("name", "least"), [("coco2014", 5), ("nuswide", 5), ("mlrsnet", 7)])
def test_the_protocols_smallest_number_of_labels(name: str, least: int) -> None:
    assert READERS[name].reader.keywords == {"min_labels": least}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        READERS[name].reader(tmp_path)
