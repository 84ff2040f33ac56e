"""A task's sentences and frozen text features."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fedmvp_core.attributes.files import in_class_order
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.tasks import Task, encode_task

TEMPLATE, WITH_ATTRIBUTE = "a picture of a {class}.", "a {class}, which has {attribute}."


def task(*phrases: tuple[str, ...]) -> Task:
    return Task(("cat", "dog", "cow")[: len(phrases)], phrases, TEMPLATE, WITH_ATTRIBUTE)


def test_sentences() -> None:
    mixed = task(("fur", "claws"), ())
    assert mixed.class_sentences() == ["a picture of a cat.", "a picture of a dog."]
    assert mixed.attribute_sentences(0) == ["a cat, which has fur.", "a cat, which has claws."]
    assert mixed.attribute_sentences(1) == ["a picture of a dog."]


def test_braces_in_names_and_phrases_are_words() -> None:
    odd = Task(("{attribute}",), (("{class} {0}",),), TEMPLATE, WITH_ATTRIBUTE)
    assert odd.class_sentences() == ["a picture of a {attribute}."]


def test_class_features_are_means_of_unit_features_and_not_unit_again(
    tiny_backbone: Backbone, memory_cache: FeatureCache
) -> None:
    encoded = encode_task(tiny_backbone, task(("fur", "claws"), ("a nose",)), memory_cache)
    with torch.no_grad():
        cat = tiny_backbone.encode_text(["a cat, which has fur.", "a cat, which has claws."])
        dog = tiny_backbone.encode_text(["a dog, which has a nose."])
    units = [row / row.norm() for row in (*cat, *dog)]
    expected = torch.stack([(units[0] + units[1]) / 2, units[2]])
    torch.testing.assert_close(encoded.class_features, expected, rtol=0, atol=1e-6)
    assert float(encoded.class_features[0].norm()) < 0.9999
    torch.testing.assert_close(encoded.attribute_features, torch.stack(units), rtol=0, atol=1e-6)
    assert encoded.attribute_names == ("cat: fur", "cat: claws", "dog: a nose")


def test_zero_shot_features_are_the_plain_template(
    tiny_backbone: Backbone, memory_cache: FeatureCache
) -> None:
    encoded = encode_task(tiny_backbone, task(("fur",), ("a nose",)), memory_cache)
    with torch.no_grad():
        plain = tiny_backbone.encode_text(
            ["a picture of a cat.", "a picture of a dog."], normalize=True
        )
    torch.testing.assert_close(encoded.zero_shot_features, plain, rtol=0, atol=1e-6)


def test_without_attributes_the_plain_sentence_stands_in(
    tiny_backbone: Backbone, memory_cache: FeatureCache
) -> None:
    encoded = encode_task(tiny_backbone, task((), (), ()), memory_cache)
    torch.testing.assert_close(encoded.class_features, encoded.zero_shot_features)
    assert encoded.attribute_names == ("cat: cat", "dog: dog", "cow: cow")
    assert len(encoded.attribute_features) == 3


def test_columns_follow_the_class_names_not_the_attribute_mapping(
    tiny_backbone: Backbone, memory_cache: FeatureCache
) -> None:
    names = ("cat", "dog")
    encoded = []
    for attributes in (
        {"cat": ("fur",), "dog": ("nose",)},
        {"dog": ("nose",), "owl": ("wings",), "cat": ("fur",)},
    ):
        phrases = in_class_order(attributes, names)
        plain = Task(names, phrases, TEMPLATE, WITH_ATTRIBUTE)
        encoded.append(encode_task(tiny_backbone, plain, memory_cache))
    assert torch.equal(encoded[0].class_features, encoded[1].class_features)
    assert encoded[1].attribute_names == ("cat: fur", "dog: nose")


@pytest.mark.parametrize("share", [1.0, 0.0, 0.25])
def test_what_a_class_is_recognised_by(
    tiny_backbone: Backbone, memory_cache: FeatureCache, share: float
) -> None:
    chosen = replace(task(("fur", "claws"), ("a nose",)), attribute_weight=share)
    encoded = encode_task(tiny_backbone, chosen, memory_cache)
    described = torch.stack([encoded.attribute_features[:2].mean(0), encoded.attribute_features[2]])
    expected = share * described + (1 - share) * encoded.zero_shot_features
    torch.testing.assert_close(encoded.class_features, expected, rtol=0, atol=1e-6)
    assert len(encoded.attribute_features) == 3, "PromptFormer looks at attributes all the same"


@pytest.mark.parametrize("on_disk", [True, False])
def test_text_is_encoded_once(tiny_backbone: Backbone, tmp_path: Path, on_disk: bool) -> None:
    cache = FeatureCache(tmp_path if on_disk else None)
    first = encode_task(tiny_backbone, task(("fur", "claws"), ("nose",)), cache)
    assert tiny_backbone.encoded == {"sentences": 5}
    again = FeatureCache(tmp_path) if on_disk else cache
    second = encode_task(tiny_backbone, task(("fur", "claws"), ("nose",)), again)
    assert tiny_backbone.encoded == {"sentences": 5}
    assert torch.equal(first.class_features, second.class_features)
    encode_task(tiny_backbone, task(("fur", "claws"), ("ears",)), again)
    assert tiny_backbone.encoded["sentences"] > 5, "other words are other text"
