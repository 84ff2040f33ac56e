"""What the value of a run-config key may be, and the sentence when it is something else."""

import math
from dataclasses import dataclass
from typing import Any, get_args

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.config.words import nearest
from fedmvp_core.errors import ConfigError, FedMVPError, printable
from fedmvp_core.registry import listed_as, names_in, where_listed

Scalar = bool | int | float | str
LARGEST = 2**63 - 1  # whole numbers travel in 64 bits


@dataclass(frozen=True)
class Between:
    """Numbers that are allowed, both ends included."""

    low: float
    high: float = math.inf


@dataclass(frozen=True)
class OneOf:
    """Words that are allowed: those listed, and the names of what is installed in a group."""

    words: tuple[str, ...] = ()
    group: str = ""
    several: bool = False  # more than one may be named, with commas between them

    def choices(self) -> tuple[str, ...]:
        """All allowed words."""
        return (*self.words, *names_in(self.group)) if self.group else self.words

    def listed(self) -> str:
        """A clause that names the command which lists what is installed; nothing for words."""
        return where_listed(self.group) if self.group else ""


@dataclass(frozen=True)
class Epsilon:
    """A radius of L-infinity attacks in pixel units, [0, 1], such as "4/255"; "" where optional."""

    optional: bool = False


def shown_words(words: tuple[str, ...]) -> str:
    """Allowed words for a message; the empty one is shown as ''."""
    return ", ".join(word or "''" for word in words) or "none"


def check_value(key: str, value: Any, kind: Any) -> Scalar:
    """The value of one key, converted without loss (3 -> 3.0), or a ConfigError."""
    plain, *limits = get_args(kind) or (kind,)
    if any(isinstance(limit, Epsilon) for limit in limits) and type(value) in (int, float):
        value = str(value)  # "4/255" and 0.0157 are both fine
    if isinstance(value, bool) and any(_is_truth(limit) for limit in limits):
        value = str(value).lower()  # compile = true, beside "auto"
    if type(value) is int and abs(value) > LARGEST:
        low = next((limit.low for limit in limits if isinstance(limit, Between)), -LARGEST)
        raise ConfigError(f"{key} is {_shown(value)}; allowed: {low:g} to {LARGEST}")
    converted: Scalar = _convert(key, value, plain)
    if isinstance(converted, str) and printable(converted) != converted:
        raise ConfigError(f"{key} is '{converted}'; allowed: text and names in valid UTF-8")
    for limit in limits:
        if isinstance(limit, Between):
            _check_range(key, float(converted), limit)
        elif isinstance(limit, Epsilon):
            _check_epsilon(key, str(converted), limit)
        elif limit.several:
            converted = _check_names(key, str(converted), limit)
        elif converted not in limit.choices():
            near = nearest(str(converted), limit.choices())
            allowed = shown_words(limit.choices())
            raise ConfigError(f"{key} is '{converted}'; allowed: {allowed}{near}{limit.listed()}")
    return converted


def _is_truth(limit: Any) -> bool:
    """Whether "true" and "false" are among allowed words."""
    return isinstance(limit, OneOf) and {"true", "false"} <= set(limit.words)


def _shown(number: int) -> str:
    """A whole number, or how many digits it has."""
    text = str(number)
    return text if len(text) <= 40 else f"a number of {len(text)} digits"


def _check_names(key: str, text: str, limit: OneOf) -> str:
    """Different names with commas between them, without the spaces."""
    choices = limit.choices()
    names = [name.strip() for name in text.split(",")]
    listed = {listed_as(name, choices) for name in names}
    if len(set(names)) < len(names) or not listed <= set(choices):
        several = "; different ones of them with commas between" if len(names) > 1 else ""
        unknown = [name for name in names if listed_as(name, choices) not in choices]
        near = "".join(nearest(name, choices) for name in unknown)
        allowed = f"{shown_words(choices)}{several}{near}{limit.listed()}"
        raise ConfigError(f"{key} is '{text}'; allowed: {allowed}")
    return ",".join(names)


def _check_range(key: str, value: float, limit: Between) -> None:
    # A NaN fails both comparisons, so it is refused here too.
    if not (limit.low <= value <= limit.high) or math.isinf(value):
        high = "" if math.isinf(limit.high) else f" to {limit.high:g}"
        raise ConfigError(f"{key} is {value:g}; allowed: {limit.low:g}{high or ' or more'}")


def _check_epsilon(key: str, text: str, limit: Epsilon) -> None:
    if text or not limit.optional:
        try:
            parse_epsilon(text)
        except FedMVPError as error:
            raise ConfigError(f"{key}: {error}") from None


def _convert(key: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind:
        return value
    raise ConfigError(f"{key} is {value!r}; allowed: a value of type {kind.__name__}")
