"""Sentences with learned words in front: tokenised once, and never cut."""

import pytest
import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.sentences import PromptedSentences


def test_words_stand_behind_the_placeholders(tiny_backbone: Backbone) -> None:
    tokens = PromptedSentences(3, "deep-length").token_ids(tiny_backbone, ["cat.", "a red dog."])
    plain = tiny_backbone.tokenize(["cat.", "a red dog."])
    assert torch.equal(tokens[:, 4:], plain[:, 1:-3])
    assert torch.equal(tokens[:, 0], plain[:, 0])


def test_the_same_sentences_are_tokenised_once(tiny_backbone: Backbone) -> None:
    sentences = PromptedSentences(2, "deep-length")
    first = sentences.token_ids(tiny_backbone, ["cat", "dog"])
    assert sentences.token_ids(tiny_backbone, ("cat", "dog")) is first
    assert not torch.equal(sentences.token_ids(tiny_backbone, ["dog", "cat"]), first)


def test_a_sentence_that_would_lose_words_is_refused(tiny_backbone: Backbone) -> None:
    # 32 positions, two of them for start and end of text; "a cat" takes two.
    fits = PromptedSentences(28, "context-length").token_ids(tiny_backbone, ["a cat"])
    assert int(fits.argmax()) == 31
    with pytest.raises(
        ConfigError,
        match="context-length puts 29 words before 'a cat'; the text encoder of 'tiny' reads 30 "
        "tokens, which leaves 28",
    ):
        PromptedSentences(29, "context-length").token_ids(tiny_backbone, ["cat", "a cat"])
