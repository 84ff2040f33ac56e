"""Questions for attribute phrases, and what a language model's answer must hold."""

import json
import re
from typing import Any

from fedmvp_core.attributes.phrases import phrase_key
from fedmvp_core.errors import ConfigError
from simulations.attributes.chat import AnswerError

DEFAULT_PROMPT = (
    'List {count} short visual attributes by which "{class}" is recognised in a picture. Describe '
    "only what can be seen: shape, colour, texture, parts, typical surroundings. Each is a noun "
    "phrase of at most ten words without an article at its start, so that it can follow the words "
    '"which has". Do not use the name itself.'
)
FORM = "Answer with one JSON array of exactly {count} strings and nothing else."
MAX_CHARACTERS = 120


def question(prompt: str, class_name: str, count: int) -> str:
    """The prompt for one class, with the form that the answer must have.

    Raises:
        ConfigError: the prompt does not say where the class goes.
    """
    if "{class}" not in prompt:
        raise ConfigError(f"prompt is '{prompt}'; it must hold {{class}}")
    text = f"{prompt}\n\n{FORM}".replace("{count}", str(count))
    return text.replace("{class}", class_name)


def read_phrases(answer: str, count: int) -> tuple[str, ...]:
    """The phrases of an answer: a JSON array, bare or as an object's only value, fenced or not.

    Raises:
        AnswerError: no such array, or not `count` distinct phrases of 1 to MAX_CHARACTERS.
    """
    phrases = _array(re.sub(r"<think>.*?</think>", "", answer, flags=re.DOTALL))
    if not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases):
        raise AnswerError("not every entry is a string with words in it")
    phrases = [" ".join(phrase.split()).rstrip(".") for phrase in phrases]
    if not all(phrase.isprintable() for phrase in phrases):
        raise AnswerError("a phrase holds control characters")
    if len(phrases) != count:
        raise AnswerError(f"it holds {len(phrases)} phrases, not {count}")
    too_long = [phrase for phrase in phrases if len(phrase) > MAX_CHARACTERS]
    if too_long:
        raise AnswerError(f"'{too_long[0][:40]}...' has more than {MAX_CHARACTERS} characters")
    if not all(phrase_key(p) for p in phrases) or len(set(map(phrase_key, phrases))) < count:
        raise AnswerError("a phrase comes twice, or has no words")
    return tuple(phrases)


def _array(answer: str) -> list[Any]:
    """The array in an answer, which may have words or a code fence around it."""
    start, end = answer.find("["), answer.rfind("]")
    for text in (answer, answer[start : end + 1]):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict) and len(content) == 1:
            content = next(iter(content.values()))
        if isinstance(content, list):
            return content
    raise AnswerError("it holds no JSON array")
