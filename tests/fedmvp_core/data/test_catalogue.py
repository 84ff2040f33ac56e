"""What the name of a data set says: its sentences, and whether it needs a folder."""

import pytest
from run_configs import run_config

from fedmvp_core.data.catalogue import (
    ENTRIES,
    attribute_template,
    class_sentence,
    class_template,
    class_templates,
    needs_folder,
    spoken_name,
)
from fedmvp_core.registry import DATASETS, find, names_in
from fedmvp_core.tasks import Task


@pytest.mark.parametrize(
    ("dataset", "sentence", "described"),
    [
        ("emojidomains", "a picture of a X.", "a picture of a X, such as ears."),
        ("emojiscenes", "a picture of a X.", "a picture of a X, such as ears."),
        ("imagefolder", "a picture of a X.", "a picture of a X, such as ears."),
        ("csv-folder", "a photo of a X.", "a photo of a X, which has ears."),
        ("caltech101", "a photo of a X.", "a photo of a X, which has ears."),
        ("eurosat", "a centered satellite photo of X.",
         "a centered satellite photo of X, which has ears."),
        ("dtd", "X texture.", "a photo of a X, a type of texture, which has ears."),
        ("pacs", "a photo of a X.", "a photo of a X, which has ears."),
        ("coco2014", "a photo of a X.", "a photo of a X, which has ears."),
    ],
)  # fmt: skip
def test_auto_is_what_is_published_for_the_data_set(
    dataset: str, sentence: str, described: str
) -> None:
    config = run_config(dataset=dataset, data_dir="somewhere")
    task = Task(("X",), (("ears",),), class_template(config), attribute_template(config))
    assert task.class_sentences() == [sentence]
    assert task.attribute_sentences(0) == [described]


def test_a_sentence_of_ones_own_holds_for_every_data_set() -> None:
    own = {"template": "my {class}", "attribute_template": "my {class}: {attribute}"}
    config = run_config(dataset="dtd", data_dir="somewhere", **own)
    assert (class_template(config), attribute_template(config)) == tuple(own.values())


def test_a_class_of_several_data_sets_is_spoken_of_as_in_its_own() -> None:
    config = run_config(dataset="dtd,oxford_pets", data_dir="somewhere")
    assert class_templates(config) == ("{class} texture.", "a photo of a {class}, a type of pet.")
    assert class_sentence(config, "dtd/x/y") == "x/y texture."
    assert class_sentence(config, "oxford_pets/pug") == "a photo of a pug, a type of pet."
    assert spoken_name(config, "dtd/x/y") == "x/y"
    alone = run_config(dataset="dtd", data_dir="somewhere")
    assert class_sentence(alone, "x/y") == "x/y texture."
    assert spoken_name(alone, "x/y") == "x/y"


def test_every_reader_is_installed_as_a_data_set() -> None:
    installed = names_in(DATASETS)
    assert set(ENTRIES) <= set(installed)
    assert {name for name in installed if needs_folder(name)} == {
        *ENTRIES,
        "imagefolder",
        "csv-folder",
        "hf:",
    }
    assert all(callable(find(DATASETS, name)) for name in installed)
