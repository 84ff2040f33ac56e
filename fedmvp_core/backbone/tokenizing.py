"""Sentences as a text encoder reads them: tokens, and no more of them than its context holds."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

START_AND_END = 2  # tokens around every sentence


class Tokenizer:
    """A backbone's tokenizer.

    Attributes:
        name: of the backbone.
        context_length: tokens that its text encoder reads, start and end of text among them.
        room: of these, the tokens for words.
    """

    def __init__(self, name: str, context_length: int, tokenizer: Any) -> None:
        """tokenizer: open_clip's, sentences -> (n, context_length)."""
        self.name, self.context_length, self._tokenizer = name, context_length, tokenizer
        self.room = context_length - START_AND_END

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Sentences -> token ids (n, context_length), int64, on the CPU.

        Too long ones lose tokens before the end-of-text token, never that token itself.

        Raises:
            ValueError: a bare string instead of a list, or an empty list.
        """
        if isinstance(sentences, str) or not sentences:
            raise ValueError(f"expected a list of one or more sentences, got {sentences!r}")
        tokens: Tensor = self._tokenizer(list(sentences))
        return tokens

    def count(self, text: str) -> int:
        """How many tokens a text has in all, start and end of text left out."""
        return len(self._tokenizer.encode(text))

    def full(self, tokens: Tensor) -> list[int]:
        """The rows of token ids (n, context_length) that are full, and so may have been cut."""
        ends = tokens.argmax(dim=-1)  # end-of-text has the highest id
        return (ends == self.context_length - 1).nonzero().flatten().tolist()

    def ended_within(self, tokens: Tensor) -> list[int]:
        """The rows whose words hold the end-of-text token, so that what follows is not read."""
        ends = tokens == tokens.max()
        return torch.nonzero(ends.sum(dim=-1) > 1).flatten().tolist()
