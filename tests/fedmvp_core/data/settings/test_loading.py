"""What a setting passes on of its data sets."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_pictures import write_folder, write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import load_setting

SIZE = 8
SINGLE = "pictures: 1 classes have a single picture: dodo"
UNTESTED = "pictures: split 'test' has no picture of dodo"


@pytest.mark.parametrize(
    "keys",
    [
        {"dataset": "imagefolder"},
        {"dataset": "imagefolder", "setting": "few-shot"},
        {"dataset": "imagefolder,emoji-objects"},
        {
            "dataset": "emoji-objects",
            "setting": "cross-dataset",
            "setting.target-datasets": "imagefolder",
        },
    ],
)
def test_what_to_mind_of_every_data_set_is_passed_on(
    keys: dict[str, str], default_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    write_folder(tmp_path / "pictures", ("ant", "bee", "cow"), 5)
    write_picture(tmp_path / "pictures" / "dodo" / "00.png", 1)
    keys = {"attributes": "none", **keys}
    setting = load_setting(default_config(**keys, data_dir=str(tmp_path / "pictures")), SIZE)
    assert setting.warnings == (SINGLE, UNTESTED)


def test_embedded_data_sets_have_nothing_to_mind(default_config: Callable[..., RunConfig]) -> None:
    assert load_setting(default_config(), SIZE).warnings == ()
