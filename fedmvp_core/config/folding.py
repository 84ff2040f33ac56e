"""Options as single keys: `method.lora-rank=4` and keys of older versions become option texts.

Flower accepts the keys that pyproject.toml declares and no others, so each kind of plugin has one
key for all its options, `method-options`. A mapping may name single options beside it; they win.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fedmvp_core.config.options import (
    changed_options,
    option_names,
    options_text,
    options_type,
    parse_options,
)
from fedmvp_core.config.values import Scalar
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import (
    AGGREGATIONS,
    DATASETS,
    METHODS,
    OBJECTIVES,
    PARTITIONS,
    SETTINGS,
    STRATEGIES,
    find,
    names_in,
)

# Kind, which is also the key that names a plugin -> the group where it is found.
KINDS: Mapping[str, str] = {
    "method": METHODS,
    "objective": OBJECTIVES,
    "aggregation": AGGREGATIONS,
    "strategy": STRATEGIES,
    "partition": PARTITIONS,
    "setting": SETTINGS,
    "dataset": DATASETS,
}
# Keys of version 0.1 -> the option that took their place, and the default that they had.
MOVED: Mapping[str, tuple[str, Scalar]] = {
    "prompt-length": ("method.prompt-length", 4),
    "attention-heads": ("method.attention-heads", 4),
    "lora-rank": ("method.lora-rank", 8),
    "lora-threshold": ("method.lora-threshold", 0.5),
    "prompt-init": ("method.prompt-init", "frozen"),
    "lora-init": ("method.lora-init", "zero"),
    "context-length": ("method.context-length", 16),
    "class-specific": ("method.class-specific", False),
    "deep-length": ("method.deep-length", 2),
    "deep-depth": ("method.deep-depth", 0),
    "coupling": ("method.coupling", "text-to-image"),
    "coupled-prompts": ("method.coupled-prompts", False),
    "pad-size": ("method.pad-size", 0),
    "attack-prompt": ("method.attack-prompt", "on-the-fly"),
    "perturb-rate": ("method.perturb-rate", 0.1),
    "alpha": ("objective.alpha", 3.0),
    "beta": ("objective.beta", 6.0),
    "capt-weight": ("objective.capt-weight", 2.0),
    "alpha-cons": ("objective.alpha-cons", "ce-ratio"),
    "alpha-cons-value": ("objective.alpha-cons-value", 0.5),
    "alpha-cons-per": ("objective.alpha-cons-per", "sample"),
    "target-domain": ("setting.target-domain", "sketch"),
    "source-domain": ("setting.source-domain", "noto"),
    "target-datasets": ("setting.target-datasets", ""),
    "label-split": ("setting.label-split", ""),
    "classes-per-client": ("partition.classes-per-client", 2),
    "dirichlet-alpha": ("partition.dirichlet-alpha", 0.5),
    "malicious-share": ("aggregation.malicious-share", 0.2),
    "selected-clients": ("aggregation.selected-clients", 0),
}

logger = logging.getLogger(__name__)


def folded(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with all options in the texts of their kinds, checked and in one order.

    An option that has its default is left out, so that equal configurations have equal texts.

    Raises:
        ConfigError: an option is unknown, out of range or no single value, or a plugin is not
            installed.
    """
    for key, value in mapping.items():
        if (is_option(key) or key in MOVED) and not isinstance(value, Scalar):
            raise ConfigError(f"{key} is {value!r}; allowed: a number, true, false or a text")
    plain = {key: value for key, value in mapping.items() if not is_option(key)}
    _take_old_strategy(plain)
    moved = {key: plain.pop(key) for key in list(plain) if key in MOVED}
    given = {key: value for key, value in mapping.items() if is_option(key)}
    for kind in KINDS:
        singles = {k.partition(".")[2]: v for k, v in given.items() if k.startswith(f"{kind}.")}
        older = {k: v for k, v in moved.items() if MOVED[k][0].startswith(f"{kind}.")}
        text = plain.get(f"{kind}-options", "")
        if singles or older or text:
            plain[f"{kind}-options"] = _option_text(kind, plain, str(text), singles, older)
    return plain


def is_option(key: str) -> bool:
    """Whether a key names one option of a kind of plugin, such as "method.lora-rank"."""
    return key.partition(".")[0] in KINDS and "." in key


def _take_old_strategy(plain: dict[str, Any]) -> None:
    """`strategy=krum` of version 0.1 named what is an aggregation now."""
    name = plain.get("strategy", "")
    if name and name in names_in(AGGREGATIONS) and name not in names_in(STRATEGIES):
        other = plain.get("aggregation", name)
        if other not in ("fedavg", name):
            raise ConfigError(
                f"strategy is '{name}', which is an aggregation, but aggregation is '{other}'; "
                "allowed: one of the two"
            )
        _note(f"strategy={name}", f"aggregation={name}")
        plain |= {"strategy": "", "aggregation": name}


def _option_text(
    kind: str,
    plain: Mapping[str, Any],
    text: str,
    singles: Mapping[str, Any],
    older: Mapping[str, Any],
) -> str:
    owners = _owners(kind, plain)
    if not owners:
        if text or singles:
            raise ConfigError(f"{kind}-options are '{text}', but no {kind} is chosen to read them")
        for key, value in older.items():
            if value != MOVED[key][1]:
                logger.warning("%s is %s, but no %s is chosen to read it", key, value, kind)
        return ""
    texts = {_canonical(kind, name, plugin, text, singles, older) for name, plugin in owners}
    if len(texts) > 1:
        names = ", ".join(name for name, _ in owners)
        raise ConfigError(f"{kind}-options is '{text}', which {kind}s {names} read differently")
    return texts.pop()


def _owners(kind: str, plain: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The chosen plugins of a kind; several only of data sets."""
    name = str(plain.get(kind, ""))
    if kind == "objective" and not name:
        name = find(METHODS, str(plain.get("method", ""))).objective or ""
    return [(part, find(KINDS[kind], part)) for part in name.split(",") if part]


def _canonical(
    kind: str,
    name: str,
    plugin: Any,
    text: str,
    singles: Mapping[str, Any],
    older: Mapping[str, Any],
) -> str:
    if kind == "strategy":  # its options are the arguments of its constructor
        return text
    owner, declared = f"{kind} '{name}'", options_type(plugin)
    has = option_names(declared)
    known = {}
    for key, value in older.items():
        spelling, default = MOVED[key]
        option = spelling.partition(".")[2]
        if value == default:  # version 0.1 wrote every key; a newer plugin may have another default
            continue
        if option in has:
            known[option] = value
            _note(f"{key}={value}", f"{spelling}={value}")
        else:
            logger.warning("%s is %s, which %s does not read", key, value, owner)
    options: Any = parse_options(owner, declared, options_text(known))
    for more in (text, options_text(singles)):
        options = parse_options(owner, declared, more, base=options)
    return options_text(changed_options(options))


def _note(old: str, new: str) -> None:
    logger.warning("%s is now written %s; the old spelling works until version 0.3", old, new)
