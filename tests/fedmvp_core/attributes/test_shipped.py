"""The shipped phrases: complete, distinct, and of a form that every template can take."""

import open_clip
import pytest

from fedmvp_core.attributes.files import in_class_order, shipped_attributes
from fedmvp_core.attributes.phrases import glue, name_key
from fedmvp_core.attributes.shipped import ALIASES, find_shipped, shipped_names
from fedmvp_core.errors import DataError
from fedmvp_core.tasks import Task

CLASSES = {
    "coco": 80,
    "dtd": 47,
    "eurosat": 10,
    "officehome": 65,
    "oxford_pets": 37,
    "pacs": 7,
    "terra_incognita": 10,
    "vlcs": 5,
    "voc2007": 20,
}
# Characters and clothes of one colour, in sentences of their own ("with {attribute}").
SMALL = {"digits": 10, "fashion-mnist": 10, "kana": 46, "letters": 26}
EUROSAT = (
    "Annual Crop Land",
    "Forest",
    "Herbaceous Vegetation Land",
    "Highway or Road",
    "Industrial Buildings",
    "Pasture Land",
    "Permanent Crop Land",
    "Residential Buildings",
    "River",
    "Sea or Lake",
)


def test_the_sets_and_their_sizes() -> None:
    every = CLASSES | SMALL
    assert shipped_names() == tuple(sorted(every))
    assert {name: len(shipped_attributes(name)) for name in every} == every


@pytest.mark.parametrize("name", SMALL)
def test_phrases_of_the_small_sets_tell_classes_apart(name: str) -> None:
    described = shipped_attributes(name)
    for class_name, phrases in described.items():
        assert 5 <= len(phrases) <= 10, class_name
        for phrase in phrases:
            assert len(phrase.split()) < 12, phrase
            assert phrase == " ".join(phrase.split()).rstrip(".,;"), phrase
    assert len({frozenset(phrases) for phrases in described.values()}) == len(described)


@pytest.mark.parametrize("name", CLASSES)
def test_phrases_are_short_and_many_enough(name: str) -> None:
    for class_name, phrases in shipped_attributes(name).items():
        assert 8 <= len(phrases) <= 10, class_name
        for phrase in phrases:
            assert len(phrase.split()) < 12, phrase
            assert phrase == " ".join(phrase.split()).rstrip(".,;"), phrase
            assert glue(phrase) == "which has", phrase


@pytest.mark.parametrize("name", CLASSES)
def test_no_two_classes_are_described_alike(name: str) -> None:
    sets = [frozenset(phrases) for phrases in shipped_attributes(name).values()]
    for i, one in enumerate(sets):
        assert all(len(one & other) < len(one) / 2 for other in sets[:i])


def test_voc_is_described_as_coco_is() -> None:
    """The same kind of pictures under other names."""
    coco, voc = shipped_attributes("coco"), shipped_attributes("voc2007")
    assert in_class_order(coco, ("dining table", "tv")) == in_class_order(
        voc, ("diningtable", "tvmonitor")
    )
    assert all(voc[name] == coco[name] for name in voc if name in coco)


def test_names_are_the_data_sets_own() -> None:
    assert tuple(shipped_attributes("eurosat")) == EUROSAT
    officehome = ("Alarm_Clock", "Flipflops", "Postit_Notes", "ToothBrush", "TV", "Push_Pin")
    assert len(in_class_order(shipped_attributes("officehome"), officehome)) == 6
    pets = ("american_pit_bull_terrier", "Abyssinian", "yorkshire_terrier")
    assert len(in_class_order(shipped_attributes("oxford_pets"), pets)) == 3


@pytest.mark.parametrize(
    ("called", "found"),
    [
        ("OxfordPets", "oxford_pets"),
        ("terra-incognita", "terra_incognita"),
        ("Terra Incognita", "terra_incognita"),
        ("VOC2007", "voc2007"),
        ("mscoco", "coco"),
        ("pictures", None),
    ],
)
def test_a_set_is_found_by_its_data_sets_name(called: str, found: str | None) -> None:
    assert find_shipped(called) == found


def test_aliases_lead_to_shipped_sets() -> None:
    assert set(ALIASES.values()) <= set(CLASSES)
    assert all(alias == name_key(alias) for alias in ALIASES)


def test_an_unknown_set_lists_the_others() -> None:
    with pytest.raises(DataError, match=r"shipped for 'food'; for: coco, digits, dtd, .* voc2007"):
        shipped_attributes("food")


def test_sentences_fit_the_text_encoder() -> None:
    """CLIP reads 77 tokens with the first and last: none may lose its end."""
    tokenizer = open_clip.get_tokenizer("ViT-B-16")
    for name in CLASSES:
        attributes = shipped_attributes(name)
        names = tuple(attributes)
        phrases = in_class_order(attributes, names)
        template = "a centered satellite photo of {class}, {glue} {attribute}."
        task = Task(names, phrases, "{class}", template)
        for label in range(len(names)):
            for sentence in task.attribute_sentences(label):
                assert len(tokenizer.encode(sentence)) + 2 <= 32, sentence
