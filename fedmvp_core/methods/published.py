"""protocol=published: the values of a method's paper and released code.

A method file declares them (`Method.published`). They take the place of this project's defaults;
what a user writes beside them wins, and is a departure that is named.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fedmvp_core.config import PUBLISHED, RunConfig, Scalar
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.config.folding import KINDS, is_option
from fedmvp_core.config.options import option_names, options_type, parse_options
from fedmvp_core.methods.method import Method
from fedmvp_core.registry import METHODS, find

RADII = ("epsilon", "attack-step-size")  # "1/255" and 0.00392... are one value


class Departure(NamedTuple):
    """A key that a run has otherwise than its method's paper. here: None: nothing reads it."""

    key: str
    published: Scalar
    here: Scalar | None

    def __str__(self) -> str:
        if self.here is None:
            return f"{self.key}, published: {shown(self.published)}, is read by nothing here"
        return f"{self.key} is {shown(self.here)}, published: {shown(self.published)}"


def published_values(chosen: Mapping[str, Any]) -> dict[str, Scalar]:
    """What protocol=published sets, for the plugins that a flat configuration names.

    Options that the chosen plugins do not have are left out: `partition.cut` of `iid`, say.

    Raises:
        ConfigError: the method, or a plugin whose option would be set, is not installed.
    """
    method: Method = find(METHODS, str(chosen["method"]))
    return {
        key: value
        for key, value in method.published.items()
        if not is_option(key) or _option(key) in _options_of(key, chosen)
    }


def published_keys(config: RunConfig) -> set[str]:
    """The run-config keys that protocol=published may set; options stand in their kind's key."""
    method: Method = find(METHODS, config.model.method)
    return {
        f"{key.partition('.')[0]}-options" if is_option(key) else key for key in method.published
    }


def departures(config: RunConfig) -> list[Departure]:
    """Where a run with protocol=published differs from the published values; [] with ours."""
    if config.model.protocol != PUBLISHED:
        return []
    method: Method = find(METHODS, config.model.method)
    values = config.as_mapping()
    found = [Departure(k, v, _value(k, values)) for k, v in method.published.items()]
    return [one for one in found if not _same(one)]


def option_default(key: str, config: RunConfig) -> Scalar | None:
    """The default of an option such as "objective.alpha"; None: the run's plugin has none."""
    return _value(key, {**config.as_mapping(), f"{key.partition('.')[0]}-options": ""})


def shown(value: Scalar) -> str:
    """A value as it is written in a run's configuration."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "''"


def _value(key: str, values: Mapping[str, Scalar]) -> Scalar | None:
    if not is_option(key):
        return values[key]
    kind, option = key.partition(".")[0], _option(key)
    plugin = _plugin(kind, values)
    declared = options_type(plugin)
    if option not in option_names(declared):
        return None
    options = parse_options(f"the {kind}", declared, str(values[f"{kind}-options"]))
    value: Scalar = getattr(options, option.replace("-", "_"))
    return value


def _option(key: str) -> str:
    return key.partition(".")[2]


def _options_of(key: str, chosen: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of the chosen plugin of a key's kind."""
    return option_names(options_type(_plugin(key.partition(".")[0], chosen)))


def _plugin(kind: str, chosen: Mapping[str, Any]) -> Any:
    name = str(chosen.get(kind, ""))
    if kind == "objective" and not name:
        name = find(METHODS, str(chosen["method"])).objective
    return find(KINDS[kind], name)


def _same(one: Departure) -> bool:
    if one.key in RADII and one.published and one.here:
        return parse_epsilon(str(one.published)) == parse_epsilon(str(one.here))
    return one.published == one.here
