"""`KEY=VALUE` words of the command line, read by the type of the key's default."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from fedmvp_core.config import Scalar, did_you_mean
from fedmvp_core.errors import ConfigError

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}


def parse_overrides(words: Iterable[str], defaults: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Turn `["rounds=3", "alpha=1/2"]` into `{"rounds": 3, "alpha": 0.5}`.

    Raises:
        ConfigError: a word is no KEY=VALUE, its key is unknown, or its value is of another type.
    """
    values: dict[str, Scalar] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"'{word}' is no KEY=VALUE; write for example rounds=5")
        if key not in defaults:
            raise ConfigError(f"unknown run-config key '{key}'{did_you_mean(key, list(defaults))}")
        values[key] = _parse(key, _unquoted(text.strip()), defaults[key])
    return values


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
