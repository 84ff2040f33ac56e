"""Reading a perturbation's budget, as a number or a fraction such as "4/255"."""

import math
import re

from fedmvp_core.errors import ConfigError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_FRACTION = re.compile(rf"\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?", re.ASCII)
_ALLOWED = "a number from 0 to 1 in pixel units, or a fraction such as 4/255"


def parse_epsilon(text: str | float | int) -> float:
    """ "4/255", "0.0157" or a number -> the L-infinity budget, for pixels in [0, 1].

    Raises:
        ConfigError: neither a number nor a fraction, NaN, below 0 or above 1.
    """
    value = _value(text)
    if value is None or not math.isfinite(value):
        raise ConfigError(f"epsilon is {text!r}; allowed: {_ALLOWED}")
    if not 0 <= value <= 1:
        meant = f" (for {value:g} of 255 grey levels, write {value:g}/255)" if value > 1 else ""
        raise ConfigError(f"epsilon is {text!r}; allowed: {_ALLOWED}{meant}")
    return value + 0.0  # -0.0 becomes 0.0


def _value(text: object) -> float | None:
    if isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        return float(text)
    match = _FRACTION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    numerator, denominator = match.groups(default="1")
    return float(numerator) / float(denominator) if float(denominator) else None
