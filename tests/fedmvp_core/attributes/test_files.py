"""Attribute phrases: read from JSON, in the order of the class names."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from small_pictures import write_folder

from fedmvp_core.attributes.chosen import GENERIC_PHRASES, attributes_of
from fedmvp_core.attributes.files import (
    in_class_order,
    read_attributes,
    shipped_attributes,
)
from fedmvp_core.config import RunConfig
from fedmvp_core.data import imagefolder
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.errors import DataError


def test_order_follows_the_class_names_whatever_the_files_order(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"cow": ["horned"], "ant": ["tiny", "red"], "bee": ["striped"]}')
    attributes = read_attributes(path)
    assert in_class_order(attributes, ("ant", "bee", "cow")) == (
        ("tiny", "red"),
        ("striped",),
        ("horned",),
    )
    assert in_class_order(attributes, ("cow", "ant")) == (("horned",), ("tiny", "red"))


def test_case_and_separators_do_not_part_a_class_from_its_phrases() -> None:
    attributes = {"Fire_Ant": ("red",), "dining table": ("flat",), "Sea or Lake": ("blue",)}
    names = ("sea or lake", "fire ant", "diningtable")
    assert in_class_order(attributes, names) == (("blue",), ("red",), ("flat",))


def test_an_exact_name_comes_before_a_similar_one() -> None:
    attributes = {"t 72": ("tank",), "t-72": ("bus",)}
    assert in_class_order(attributes, ("t-72", "t 72", "T72")) == (("bus",), ("tank",), ("bus",))


def test_every_missing_class_is_named() -> None:
    with pytest.raises(DataError, match="no attributes for the classes: bee, cow"):
        in_class_order({"ant": ("tiny",)}, ("ant", "bee", "cow"))


def test_no_attributes_at_all() -> None:
    assert in_class_order(None, ("ant", "bee")) == ((), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "holds a list, not an object"),
        ("{", "cannot be read"),
        ('{"ant": "tiny"}', "attributes of class 'ant' in .* are no list of phrases"),
        ('{"ant": []}', "attributes of class 'ant'"),
        ('{"ant": ["tiny", ""]}', "attributes of class 'ant'"),
        ('{"ant": ["tiny", 3]}', "attributes of class 'ant'"),
        ('{"ant": ["tiny", "  "]}', "attributes of class 'ant'"),
        ('{"ant": {"attributes": ["tiny"]}}', "attributes of class 'ant'"),
        (
            '{"ant": ["six legs", "Six  legs."]}',
            r"'ant' in .* twice: 'Six  legs.' \(after 'six legs'",
        ),
        ('{"ant": ["tiny"], "ant": ["red"]}', r"holds a class twice: 'ant' \(after 'ant'"),
        ('{"fire_ant": ["a"], "Fire Ant": ["b"]}', r"class twice: 'Fire Ant' \(after 'fire_ant'"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_attributes(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.*gone.json' cannot be read"):
        read_attributes(tmp_path / "gone.json")


def test_the_key_chooses(default_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pictures", ("ant", "bee"), 3)
    (root / "attributes.json").write_text(json.dumps({"ant": ["tiny"], "bee": ["striped"]}))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"ant": ["busy"], "bee": ["loud"]}))
    folder = {"dataset": "imagefolder", "data_dir": str(root)}

    def chosen(attributes: str) -> object:
        config = default_config(attributes=attributes, **folder)
        dataset: Dataset = imagefolder.load(config.data, config.run, 8)
        return attributes_of(config.data, dataset)

    write_folder(root, ("ant", "bee"), 9)
    assert chosen("auto") == {"ant": ("tiny",), "bee": ("striped",)}
    assert chosen("shuffled") == {"ant": ("striped",), "bee": ("tiny",)}
    assert chosen("none") is None
    assert chosen("template") == {"ant": GENERIC_PHRASES, "bee": GENERIC_PHRASES}
    assert chosen(str(other)) == {"ant": ("busy",), "bee": ("loud",)}


def test_auto_takes_the_shipped_set_where_the_data_set_has_none(
    default_config: Callable[..., RunConfig],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root = write_folder(tmp_path / "VLCS", ("bird", "car"), 5)
    config = default_config(attributes="auto", dataset="imagefolder", data_dir=str(root))
    dataset = imagefolder.load(config.data, config.run, 8)
    chosen = attributes_of(config.data, dataset)
    assert in_class_order(chosen, ("car",)) == (shipped_attributes("vlcs")["car"],)
    assert attributes_of(config.data, replace(dataset, name="pictures")) is None
    own = {"bird": ("mine",), "car": ("mine",)}
    assert attributes_of(config.data, replace(dataset, attributes=own)) == own
    with caplog.at_level(logging.WARNING):
        assert attributes_of(config.data, replace(dataset, name="dtd")) is None
    assert "attributes of dtd are not used: they lack the classes bird, car" in caplog.text
