"""What a contract test finds: one sentence for each check, and what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fedmvp_core.config import parse_config
from fedmvp_core.config.keys import RunConfig
from fedmvp_core.config.options import options_type, parse_options
from fedmvp_core.config.values import Scalar
from fedmvp_core.registry import find, kind_of
from simulations.runner.overrides import merged
from simulations.runner.project import default_config


@dataclass(frozen=True)
class Finding:
    """what: the check, as a sentence that is true if all is well. wrong: why it is not; "" = ok.

    note: what is worth knowing and neither right nor wrong.
    """

    what: str
    wrong: str = ""
    note: str = ""

    def __str__(self) -> str:
        if self.wrong:
            return f"wrong: {self.what}: {self.wrong}"
        return f"ok: {self.what}{f' ({self.note})' if self.note else ''}"


def checked(what: str, check: Callable[[], str]) -> Finding:
    """Run a check, which returns what is wrong, or ""; whatever it raises is wrong too."""
    try:
        return Finding(what, check())
    except Exception as error:  # whatever another package's code raises
        return Finding(what, f"{type(error).__name__}: {error}")


def loaded(group: str, name: str, kind: type) -> tuple[Finding, Any]:
    """Whether a plugin loads and is what its group holds; and the plugin."""
    found: list[Any] = []

    def check() -> str:
        plugin = find(group, name)
        if not isinstance(plugin, kind):
            return f"it is a {type(plugin).__name__}; allowed: {kind.__name__}"
        found.append(plugin)
        own = getattr(plugin, "name", name)
        return "" if own == name else f"its field `name` is '{own}'"

    finding = checked(f"{kind_of(group)} '{name}' loads", check)
    return finding, found[0] if found else None


def default_options(plugin: Any, owner: str) -> Finding:
    """Whether a plugin's options have defaults that are allowed."""

    def check() -> str:
        declared = options_type(plugin)
        parse_options(owner, declared, "")
        for field in vars(declared()):
            value = getattr(declared(), field)
            if not isinstance(value, bool | int | float | str):
                return f"option {field} is a {type(value).__name__}; allowed: a number, word, truth"
            parse_options(owner, declared, _word(field, value))
        return ""

    return checked("its default options are allowed", check)


def _word(field: str, value: Scalar) -> str:
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{field.replace('_', '-')}='{written}'"


# A run that takes no time: no weights, few steps of an attack.
SMALL: dict[str, Scalar] = {
    "pretrained": "",
    "device": "cpu",
    "dataset": "emojidomains",
    "local-epochs": 1,
    "batch-size": 4,
    "attack-steps": 1,
    "weight-decay": 0.0,
    "learning-rate": 0.1,
    "method-options": "",
    "objective": "",
    "objective-options": "",
}


def small_config(words: dict[str, Scalar], **chosen: Scalar) -> RunConfig:
    """The configuration of a small run; chosen: keys in snake_case, which `words` may change.

    Raises:
        ConfigError: a key or a value is not what it may be.
    """
    keys = {key.replace("_", "-"): value for key, value in chosen.items()}
    return parse_config(merged(default_config(), SMALL, keys, words))
