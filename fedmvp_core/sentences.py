"""Whether a text encoder reads all of a task's sentences, and tells its classes apart by them.

A text encoder reads so many tokens and no more: 75 words' worth for CLIP, 30 for the tiny one. What
is longer loses its end without an error. A lost end is worth a warning. A lost class name is an
error: every class would be the same.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor

from fedmvp_core.backbone import Tokenizer
from fedmvp_core.errors import ConfigError

_SHOWN = 3  # of what is cut
_logger = logging.getLogger(__name__)
_warned: set[str] = set()  # by this process, which may encode the same task for many clients


class Spoken(NamedTuple):
    """One sentence about a class. beginning: all of it up to the end of the class's name."""

    class_name: str
    text: str
    beginning: str


def check_sentences(
    tokenizer: Tokenizer, spoken: Sequence[Spoken], classes: int, tokens: Tensor | None = None
) -> list[str]:
    """What to warn of, one sentence each: ends that are cut, classes that read the same.

    Args:
        classes: the first so many sentences are the classes' plain ones, one each.
        tokens: of the sentences, where there are any already.

    Raises:
        ConfigError: a class's name is cut, in part or wholly; two classes are the same after
            cutting; or a name or phrase holds the tokenizer's own word for the end of a text.
    """
    tokens = tokenizer([sentence.text for sentence in spoken]) if tokens is None else tokens
    for row in tokenizer.ended_within(tokens):
        raise ConfigError(
            f"the sentence '{spoken[row].text}' of class '{spoken[row].class_name}' holds the word "
            "at which the text encoder stops reading"
        )
    cut = {}
    for row in tokenizer.full(tokens):
        count = tokenizer.count(spoken[row].text)
        if count > tokenizer.room:
            cut[row] = count
            _refuse_lost_name(tokenizer, spoken[row], count)
    same = _same(spoken, tokens[:classes], cut, tokenizer.room)
    return _cut_ends(tokenizer, spoken, cut) + same


def warn_once(sentences: Iterable[str]) -> None:
    """Log each as a warning, unless this process has done so."""
    for sentence in sentences:
        if sentence not in _warned:
            _warned.add(sentence)
            _logger.warning("%s", sentence)


def _refuse_lost_name(tokenizer: Tokenizer, sentence: Spoken, count: int) -> None:
    needed = tokenizer.count(sentence.beginning)
    if needed > tokenizer.room:
        raise ConfigError(
            f"the sentence '{sentence.text}' has {count} tokens and the text encoder of "
            f"'{tokenizer.name}' reads {tokenizer.room}, which cuts the name of class "
            f"'{sentence.class_name}': it ends at token {needed}. Shorten the template, the phrase "
            "or the name"
        )


def _cut_ends(tokenizer: Tokenizer, spoken: Sequence[Spoken], cut: dict[int, int]) -> list[str]:
    # A class without phrases has its plain sentence twice.
    texts = {spoken[row].text: (spoken[row].class_name, count) for row, count in cut.items()}
    if not texts:
        return []
    shown = [
        f"'{text}' of class '{name}' ({count} tokens)"
        for text, (name, count) in list(texts.items())[:_SHOWN]
    ]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return [
        f"the text encoder of '{tokenizer.name}' reads {tokenizer.room} tokens and cuts the end of "
        f"{', '.join(shown)}{more}"
    ]


def _same(spoken: Sequence[Spoken], plain: Tensor, cut: dict[int, int], room: int) -> list[str]:
    """Classes whose plain sentences are the same tokens."""
    seen: dict[tuple[int, ...], int] = {}
    found = []
    for row, ids in enumerate(plain.tolist()):
        first = seen.setdefault(tuple(ids), row)
        if first == row:
            continue
        pair = f"'{spoken[first].class_name}' and '{spoken[row].class_name}'"
        if row in cut or first in cut:
            raise ConfigError(
                f"the classes {pair} are the same in the {room} tokens that the text encoder "
                "reads; shorten the template or the names"
            )
        found.append(f"the classes {pair} are the same to the text encoder: '{spoken[row].text}'")
    more = [f"{len(found) - _SHOWN} more pairs of classes are"] if len(found) > _SHOWN else []
    return found[:_SHOWN] + [f"{words} the same to the text encoder" for words in more]
