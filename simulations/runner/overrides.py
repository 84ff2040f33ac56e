"""`KEY=VALUE` words of the command line, read by the type of the key's default.

A key is one of the run's configuration, or one option of the kind of plugin that a run names:
`method.lora-rank=4`. The value of an option stays a word here: the plugin that declares the option
says what type it has.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from fedmvp_core.config import Scalar, did_you_mean
from fedmvp_core.config.folding import KINDS, MOVED, is_option
from fedmvp_core.config.options import option_words, options_text
from fedmvp_core.errors import ConfigError

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}


def parse_overrides(words: Iterable[str], defaults: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Turn `["rounds=3", "mask-rate=1/2", "method.lora-rank=4"]` into keys and values, in order.

    Raises:
        ConfigError: a word is no KEY=VALUE, its key is unknown, or its value is of another type.
    """
    older = {key: default for key, (_, default) in MOVED.items()}
    values: dict[str, Scalar] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"'{word}' is no KEY=VALUE; write for example rounds=5")
        text = _unquoted(text.strip())
        if is_option(key):
            value: Scalar = text
        elif key in defaults or key in older:
            value = _parse(key, text, {**older, **defaults}[key])
        else:
            raise ConfigError(f"unknown run-config key '{key}'{_meant(key, defaults)}")
        values = merged(values, {key: value})
    return values


def merged(*layers: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Keys of several places, of which a later one wins.

    `method-options` is all that a method is told, so a later one takes the place of the options
    that an earlier place names one by one; a single option named later is added to an earlier
    `method-options`. An option's key of version 0.1 takes the place of the option, in either form.
    """
    found: dict[str, Scalar] = {}
    for layer in layers:
        for key in layer:
            kind = key.removesuffix("-options")
            replaced = f"{kind}." if kind != key and kind in KINDS else ""
            moved = MOVED[key][0] if key in MOVED else ""
            for other in list(found):
                if other in (key, moved) or (replaced and other.startswith(replaced)):
                    del found[other]
            if moved:
                _drop_option(found, moved)
        found |= layer
    return found


def _drop_option(found: dict[str, Scalar], spelling: str) -> None:
    """Take one option, such as "method.lora-rank", out of the option text of its kind."""
    kind, _, option = spelling.partition(".")
    text = f"{kind}-options"
    words: dict[str, Scalar] = dict(option_words(kind, str(found.get(text, ""))))
    if words.pop(option, None) is not None:
        found[text] = options_text(words)


def _meant(key: str, defaults: Mapping[str, Scalar]) -> str:
    """What is known instead; of a dotted key, which kinds of plugins there are."""
    kind, dot, _ = key.partition(".")
    if dot:
        return f": no kind of plugin is called '{kind}'{did_you_mean(kind, list(KINDS))}"
    return did_you_mean(key, list(defaults))


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _parse(key: str, text: str, default: Scalar) -> Scalar:
    # bool comes first: it is a kind of int.
    if isinstance(default, bool):
        if text.lower() not in _TRUTH:
            raise ConfigError(f"{key} is '{text}'; allowed: true, false")
        return _TRUTH[text.lower()]
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            raise ConfigError(f"{key} is '{text}'; allowed: a whole number") from None
    if isinstance(default, float):
        try:
            return float(Fraction(text)) if "/" in text else float(text)
        except (ValueError, ZeroDivisionError):
            raise ConfigError(f"{key} is '{text}'; allowed: a number or a fraction") from None
    return text
