"""What the name of a data set says: its sentences, and whether it needs a folder."""

import pytest
from run_configs import run_config

from fedmvp_core.data.catalogue import (
    ClassWords,
    attribute_template,
    check_data_dir,
    class_sentence,
    class_template,
    class_templates,
    class_words,
    needs_folder,
    spoken_name,
)
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, find, names_in
from fedmvp_core.tasks import Task


@pytest.mark.parametrize(
    ("dataset", "sentence", "described"),
    [
        ("emojidomains", "a picture of a X.", "a picture of a X, such as ears."),
        ("emojiscenes", "a picture of a X.", "a picture of a X, such as ears."),
        ("imagefolder", "a picture of a X.", "a picture of a X, such as ears."),
        ("csv-folder", "a photo of a X.", "a photo of a X, which has ears"),
        ("caltech101", "a photo of a X.", "a photo of a X, which has ears"),
        ("eurosat", "a centered satellite photo of X.",
         "a centered satellite photo of X, which has ears"),
        ("dtd", "X texture.", "a photo of a X, a type of texture, which has ears"),
        ("pacs", "a photo of a X.", "a photo of a X, which has ears"),
        ("coco2014", "a photo of a X.", "a photo of a X, which has ears"),
    ],
)  # fmt: skip
def test_auto_is_what_is_published_for_the_data_set(
    dataset: str, sentence: str, described: str
) -> None:
    config = run_config(dataset=dataset, data_dir="somewhere")
    task = Task(("X",), (("ears",),), class_template(config.data), attribute_template(config.data))
    assert task.class_sentences() == [sentence]
    assert task.attribute_sentences(0) == [described]


# What the released code writes before ", which has <attribute>", which is all that follows. It has
# no words for EuroSAT; of the domain sets the sentence is the one that names no domain.
RELEASED = {
    "caltech101": "a photo of a X",
    "oxford_pets": "a photo of a X, a type of pet",
    "stanford_cars": "a photo of a X",
    "oxford_flowers": "a photo of a X, a type of flower",
    "food101": "a photo of a X, a type of food",
    "fgvc_aircraft": "a photo of a X, a type of aircraft",
    "sun397": "a photo of a X",
    "dtd": "a photo of a X, a type of texture",
    "eurosat": "a centered satellite photo of X",
    "ucf101": "a photo of a person doing X",
    "imagenet": "a photo of a X",
    "pacs": "a photo of a X",
    "officehome": "a photo of a X",
    "vlcs": "a photo of a X",
    "terraincognita": "a photo of a X",
    "domainnet": "a photo of a X",
}


@pytest.mark.parametrize("dataset", RELEASED)
def test_a_published_attribute_sentence_ends_with_the_bare_attribute(dataset: str) -> None:
    phrases = ("four legs", "a wet nose", "often near water", "used for hunting")
    said = ("which has", "which is", "which", "which is")
    expected = [
        f"{RELEASED[dataset]}, {glue} {phrase}" for glue, phrase in zip(said, phrases, strict=True)
    ]
    data = run_config(dataset=dataset, data_dir="somewhere").data
    task = Task(("X",), (phrases,), class_template(data), attribute_template(data))
    assert task.attribute_sentences(0) == expected


def test_there_are_sixteen_published_sets_with_attributes() -> None:
    assert len(RELEASED) == 16
    assert set(RELEASED) <= set(READERS)


def test_a_sentence_of_ones_own_holds_for_every_data_set() -> None:
    own = {"template": "my {class}", "attribute_template": "my {class}: {attribute}"}
    config = run_config(dataset="dtd", data_dir="somewhere", **own)
    assert (class_template(config.data), attribute_template(config.data)) == tuple(own.values())


def test_a_class_of_several_data_sets_is_spoken_of_as_in_its_own() -> None:
    data = run_config(dataset="dtd,oxford_pets", data_dir="somewhere").data
    assert class_templates(data) == ("{class} texture.", "a photo of a {class}, a type of pet.")
    assert class_sentence(data, "dtd/x/y") == "x/y texture."
    assert class_sentence(data, "oxford_pets/pug") == "a photo of a pug, a type of pet."
    assert spoken_name(data, "dtd/x/y") == "x/y"
    alone = run_config(dataset="dtd", data_dir="somewhere").data
    assert class_sentence(alone, "x/y") == "x/y texture."
    assert spoken_name(alone, "x/y") == "x/y"


def test_words_of_classes_of_several_data_sets_keep_their_order() -> None:
    data = run_config(dataset="dtd,oxford_pets", data_dir="somewhere").data
    assert class_words(data, ["oxford_pets/pug", "dtd/x/y"]) == ClassWords(
        names=("oxford_pets/pug", "dtd/x/y"),
        spoken=("pug", "x/y"),
        sentences=("a photo of a pug, a type of pet.", "x/y texture."),
        templates=("{class} texture.", "a photo of a {class}, a type of pet."),
    )


def test_words_of_classes_of_one_data_set() -> None:
    data = run_config(dataset="dtd", data_dir="somewhere").data
    words = class_words(data, ["x/y"])
    assert words == ClassWords(("x/y",), ("x/y",), ("x/y texture.",), ("{class} texture.",))


def test_only_data_sets_of_files_need_a_folder() -> None:
    check_data_dir(run_config(dataset="emojidomains").data)
    check_data_dir(run_config(dataset="dtd", data_dir="somewhere").data)
    for names, needing in (
        *((name, name) for name in ("imagefolder", "csv-folder", "caltech101", "hf:a/b")),
        ("emoji-objects,dtd", "dtd"),
    ):
        with pytest.raises(ConfigError, match=f"data-dir is empty; dataset '{needing}' needs"):
            check_data_dir(run_config(dataset=names).data)


def test_every_reader_is_installed_as_a_data_set() -> None:
    installed = names_in(DATASETS)
    assert set(READERS) <= set(installed)
    assert {name for name in installed if needs_folder(name)} == {
        *READERS,
        "imagefolder",
        "csv-folder",
        "hf:",
    }
    assert all(callable(find(DATASETS, name)) for name in installed)
