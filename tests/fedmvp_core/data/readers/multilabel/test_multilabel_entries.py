"""The table of readers carries OpenFedML's protocol."""

from pathlib import Path

import pytest

from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import DataError

MULTI_LABEL = {name: entry for name, entry in READERS.items() if entry.multi_label}


def test_every_entry() -> None:
    assert {name: entry.expected_classes for name, entry in MULTI_LABEL.items()} == {
        "voc2007": 20,
        "coco2014": 80,
        "nuswide": 81,
        "multiscene": 36,
        "mlrsnet": 60,
    }
    assert all("{class}" in entry.template for entry in MULTI_LABEL.values())


@pytest.mark.parametrize(("name", "least"), [("coco2014", 5), ("nuswide", 5), ("mlrsnet", 7)])
def test_the_protocols_smallest_number_of_labels(name: str, least: int) -> None:
    assert READERS[name].reader.keywords == {"min_labels": least}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_an_empty_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)):
        READERS[name].reader(tmp_path)
