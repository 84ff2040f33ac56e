"""Sentences with learned words in front, and frozen ones, each read once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.prompting import Prompting
from fedmvp_core.tasks import Task


class PromptedSentences:
    """Token ids of sentences behind `length` placeholder words, kept for the steps to come.

    key: the run-config key that sets `length`, for the error message.
    """

    def __init__(self, length: int, key: str) -> None:
        self.length, self.key = length, key
        self._kept: dict[tuple[str, ...], Tensor] = {}

    def token_ids(self, backbone: Backbone, sentences: Sequence[str]) -> Tensor:
        """(sentences, context_length) int64, on the CPU, where `encode_text` reads lengths.

        Raises:
            ConfigError: a sentence would lose words, since the text encoder reads no more.
        """
        wanted = tuple(sentences)
        if wanted not in self._kept:
            self._kept[wanted] = self._tokenize(backbone, wanted)
        return self._kept[wanted]

    def _tokenize(self, backbone: Backbone, sentences: tuple[str, ...]) -> Tensor:
        tokens = backbone.tokenize(placeholder_sentences(self.length, sentences))
        # The end-of-text token has the highest id, and the tokenizer keeps it when it cuts words.
        plain_end = backbone.tokenize(sentences).argmax(dim=-1)
        lost = (tokens.argmax(dim=-1) != plain_end + self.length).nonzero().flatten().tolist()
        if lost:
            room = backbone.context_length - 2  # start and end of text
            left = room - (int(plain_end[lost[0]]) - 1)
            raise ConfigError(
                f"{self.key} puts {self.length} words before '{sentences[lost[0]]}'; the text "
                f"encoder of '{backbone.name}' reads {room} tokens, which leaves {left}"
            )
        return tokens


class WordsBeforeNames(Prompting):
    """A module that puts words of its own before a class name and a full stop.

    _sentences: knows how many words.
    """

    _sentences: PromptedSentences

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError when a class name of the task leaves the words no room."""
        self.token_ids(backbone, task.spoken_names)

    def token_ids(self, backbone: Backbone, names: tuple[str, ...]) -> Tensor:
        """(classes, context_length); raises ConfigError when a name leaves the words no room."""
        return self._sentences.token_ids(backbone, [f"{name}." for name in names])


class FrozenTexts:
    """Unit features of sentences as the frozen model has them, kept for the steps to come."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str, tuple[str, ...]], Tensor] = {}

    def features(self, backbone: Backbone, sentences: Sequence[str]) -> Tensor:
        """(sentences, d), unit, without a graph."""
        wanted = tuple(sentences)
        key = backbone.weights_hash, backbone.precision, str(backbone.device), wanted
        if key not in self._kept:
            with torch.no_grad():
                self._kept[key] = backbone.encode_text(wanted, normalize=True)
        return self._kept[key]
