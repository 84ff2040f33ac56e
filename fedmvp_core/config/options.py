"""Options: the knobs that one method, objective, aggregation, partition, ... brings along.

A plugin declares them as a frozen dataclass, whose fields are made by `option`:

    @dataclass(frozen=True)
    class MyOptions:
        weight: Annotated[float, Between(0)] = option(1.0, "of my term against cross-entropy")

A method, objective or aggregation names that class in its field `options`. A partition, a setting
or a data set is a plain function; its options are the annotation of its parameter `options`. A user
writes them into one key for each kind, `objective-options="weight=2"`, or on the command line of
`fedmvp run` as `objective.weight=2`.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from fedmvp_core.config.values import Between, Epsilon, OneOf, Scalar, check_value, shown_words
from fedmvp_core.config.words import did_you_mean, kebab
from fedmvp_core.errors import ConfigError

__all__ = [
    "Annotated",
    "Between",
    "NoOptions",
    "OneOf",
    "changed_options",
    "describe",
    "option",
    "option_names",
    "option_words",
    "options_text",
    "options_type",
    "parse_options",
]

_Options = TypeVar("_Options")


@dataclass(frozen=True)
class NoOptions:
    """Of a plugin without options."""


def option(default: Scalar, meaning: str) -> Any:
    """A field of an options class; `meaning` is what `fedmvp list` says of it."""
    return dataclasses.field(default=default, metadata={"meaning": meaning})


def options_type(plugin: Any) -> type[Any]:
    """The options class that a plugin declares; NoOptions if it declares none.

    Raises:
        ConfigError: what it declares is no dataclass whose fields all have defaults, or cannot be
            read.
    """
    declared = getattr(plugin, "options", None)
    if declared is None and callable(plugin):
        declared = _annotations(plugin).get("options", NoOptions)
    declared = declared or NoOptions
    if not dataclasses.is_dataclass(declared) or not isinstance(declared, type):
        raise ConfigError(f"options of {plugin!r} are {declared!r}; allowed: a frozen dataclass")
    bare = [f.name for f in dataclasses.fields(declared) if f.default is dataclasses.MISSING]
    if bare:
        raise ConfigError(f"options class {declared.__name__} has no default for {', '.join(bare)}")
    return declared


def _annotations(plugin: Any) -> dict[str, Any]:
    function = getattr(plugin, "func", plugin)  # of a functools.partial
    try:
        return get_type_hints(function)
    except NameError as error:  # imported for type checkers alone, say
        if "options" in function.__annotations__:
            raise ConfigError(f"the annotations of {plugin!r} cannot be read: {error}") from None
        return {}
    except TypeError:  # neither a function nor a class
        return {}


def parse_options(
    owner: str, kind: type[_Options], text: str, base: _Options | None = None
) -> _Options:
    """Read "name=value name=value" into an options class. A value with spaces is quoted.

    owner: whose they are, for messages, such as "objective 'capt'". base: has the values of what is
    not named; None: the defaults.

    Raises:
        ConfigError: an option is unknown, of another type or out of range; the message names the
            owner, the option, its value and what is allowed.
    """
    fields = get_type_hints(kind, include_extras=True)
    known = {kebab(name): name for name in fields}
    values: dict[str, Scalar] = {}
    for key, value in option_words(owner, text).items():
        if key not in known:
            offered = did_you_mean(key, list(known)) if known else "; it has none"
            raise ConfigError(f"{owner} has no option '{key}'{offered}")
        declared = fields[known[key]]
        values[known[key]] = check_value(
            f"{owner}: option {key}", _typed(value, declared), declared
        )
    return kind(**{**vars(base), **values}) if base is not None else kind(**values)


def option_names(kind: type[Any]) -> tuple[str, ...]:
    """The names of a class's options, as they are written."""
    return tuple(kebab(field.name) for field in dataclasses.fields(kind))


def changed_options(options: Any) -> dict[str, Scalar]:
    """Those of some options that are not at their defaults, by name."""
    return {
        kebab(field.name): getattr(options, field.name)
        for field in dataclasses.fields(options)
        if getattr(options, field.name) != field.default
    }


def option_words(owner: str, text: str) -> dict[str, str]:
    """Option -> value, as they are written; raises ConfigError for what is no NAME=VALUE."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"options of {owner} are '{text}': {error}") from None
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ConfigError(f"options of {owner} hold '{word}'; allowed: NAME=VALUE")
        if key in found:
            raise ConfigError(f"options of {owner} name '{key}' twice: '{text}'")
        found[key] = value
    return found


def _typed(text: str, declared: Any) -> Scalar:
    """The value that a word stands for, if it can be one of the declared type; else the word."""
    plain, *limits = get_args(declared) or (declared,)
    if plain is bool and text in ("true", "false"):
        return text == "true"
    if plain in (int, float) and not any(isinstance(limit, Epsilon) for limit in limits):
        for number in (int, float, _fraction):
            try:
                return number(text)
            except (ValueError, ZeroDivisionError):
                continue
    return text


def _fraction(text: str) -> float:
    return float(Fraction(text))


def options_text(options: Mapping[str, Scalar]) -> str:
    """What `parse_options` reads, from options by their kebab-case names."""
    return " ".join(f"{key}={shlex.quote(_word(value))}" for key, value in options.items())


def _word(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class OptionDescription:
    """An option as it is shown: its name, default, what is allowed, and what it means."""

    name: str
    default: Any
    allowed: str
    meaning: str


def describe(kind: type[Any]) -> list[OptionDescription]:
    """Every option of a class, in order."""
    fields = get_type_hints(kind, include_extras=True)
    return [
        OptionDescription(
            kebab(field.name),
            field.default,
            _allowed(fields[field.name]),
            field.metadata.get("meaning", ""),
        )
        for field in dataclasses.fields(kind)
    ]


def _allowed(declared: Any) -> str:
    plain, *limits = get_args(declared) or (declared,)
    for limit in limits:
        if isinstance(limit, Between):
            low, high = f"{limit.low:g}", f"{limit.high:g}"
            return f"{plain.__name__}, {low} or more" if high == "inf" else f"{low} to {high}"
        if isinstance(limit, OneOf):
            return shown_words(limit.choices())
    return "true, false" if plain is bool else str(plain.__name__)
