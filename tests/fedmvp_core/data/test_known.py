"""What the name of a data set says: its sentences, and whether it needs a folder."""

import pytest
from run_configs import run_config

from fedmvp_core.data.known import ENTRIES, attribute_template, class_template, needs_folder
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


def test_every_reader_is_installed_as_a_data_set() -> None:
    installed = names_in(DATASETS)
    assert set(ENTRIES) <= set(installed)
    assert {name for name in installed if needs_folder(name)} == {
        *ENTRIES,
        "imagefolder",
        "csv-folder",
    }
    assert all(callable(find(DATASETS, name)) for name in installed)
