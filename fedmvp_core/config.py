"""The run configuration: typed and checked once, at the edge.

`pyproject.toml` ([tool.flwr.app.config]) holds every key with its default; this module says what is
allowed. Keys are kebab-case outside (`learning-rate`) and snake_case inside (`learning_rate`).
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, METHODS, PARTITIONS, SETTINGS, STRATEGIES, names_in

Scalar = bool | int | float | str


def _at_least(low: float, high: float | None = None) -> dict[str, Any]:
    return {"low": low, "high": high}


def _one_of(*choices: str) -> dict[str, Any]:
    return {"choices": lambda: choices}


def _registered(group: str) -> dict[str, Any]:
    return {"choices": lambda: names_in(group)}


def _field(metadata: dict[str, Any]) -> Any:
    return dataclasses.field(metadata=metadata)


@dataclass(frozen=True)
class RunConfig:
    """One field for each key; the comments that explain them stand beside the defaults in pyproject."""

    run_name: str
    output_dir: str
    cache_dir: str
    overwrite: bool
    seed: int = _field(_at_least(0))
    backbone: str
    pretrained: str
    precision: str = _field(_one_of("fp32", "bf16"))
    device: str = _field(_one_of("auto", "cpu", "cuda"))
    method: str = _field(_registered(METHODS))
    prompt_length: int = _field(_at_least(1, 64))
    attention_heads: int = _field(_at_least(1, 64))
    lora_rank: int = _field(_at_least(1, 1024))
    lora_threshold: float = _field(_at_least(0))
    lora_init: str = _field(_one_of("zero", "normal"))
    dataset: str = _field(_registered(DATASETS))
    data_dir: str
    template: str
    attribute_template: str
    attributes: str
    setting: str = _field(_registered(SETTINGS))
    target_domain: str
    partition: str = _field(_registered(PARTITIONS))
    clients: int = _field(_at_least(0))
    shots: int = _field(_at_least(0))
    dirichlet_alpha: float = _field(_at_least(1e-3))
    eval_split: str = _field(_one_of("test", "validation"))
    local_epochs: int = _field(_at_least(1))
    batch_size: int = _field(_at_least(1))
    learning_rate: float = _field(_at_least(0))
    momentum: float = _field(_at_least(0, 1))
    weight_decay: float = _field(_at_least(0))
    alpha: float = _field(_at_least(0))
    strategy: str = _field(_registered(STRATEGIES))
    weighting: str = _field(_one_of("uniform", "examples"))
    rounds: int = _field(_at_least(0))
    fraction_train: float = _field(_at_least(0, 1))
    fraction_evaluate: float = _field(_at_least(0, 1))
    evaluate_every: int = _field(_at_least(1))
    node_timeout: float = _field(_at_least(1))
    round_timeout: float = _field(_at_least(1))
    min_clients: int = _field(_at_least(1))

    def as_mapping(self) -> dict[str, Scalar]:
        """Kebab-case keys and plain values, as they travel and as config.json holds them."""
        return {_kebab(name): value for name, value in dataclasses.asdict(self).items()}


def parse_config(mapping: Mapping[str, Any]) -> RunConfig:
    """Check a flat kebab-case mapping that holds every key.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type, out of range, or
            contradicts another; the message names the key, the value and what is allowed.
    """
    fields = {_kebab(field.name): field for field in dataclasses.fields(RunConfig)}
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"unknown run-config key '{key}'{did_you_mean(key, fields)}")
    missing = sorted(set(fields) - set(mapping))
    if missing:
        raise ConfigError(f"run-config lacks the keys {', '.join(missing)}")
    values = {field.name: _check(key, mapping[key], field) for key, field in fields.items()}
    config = RunConfig(**values)
    _check_together(config)
    return config


def did_you_mean(word: str, known: Mapping[str, Any] | list[str]) -> str:
    """A clause that offers the nearest known words, or lists all of them."""
    close = difflib.get_close_matches(word, list(known), n=3)
    return f"; did you mean {', '.join(close)}?" if close else f"; known: {', '.join(sorted(known))}"


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _check(key: str, value: Any, field: "dataclasses.Field[Any]") -> Scalar:
    """The value of one key, converted without loss (3 -> 3.0), or a ConfigError."""
    converted = _convert(key, value, field.type)  # type: ignore[arg-type]
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if low is not None:
        # A NaN fails both comparisons, so it is refused here too.
        if not (converted >= low and (high is None or converted <= high)):
            allowed = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
            raise ConfigError(f"{key} is {converted}; allowed: {allowed}")
        if converted == float("inf"):
            raise ConfigError(f"{key} is {converted}; allowed: a finite number")
    choices: Callable[[], tuple[str, ...]] | None = field.metadata.get("choices")
    if choices is not None and converted not in choices():
        raise ConfigError(f"{key} is '{converted}'; allowed: {', '.join(choices())}")
    return converted


def _convert(key: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind:
        return value
    raise ConfigError(f"{key} is {value!r}; allowed: a value of type {kind.__name__}")


def _check_together(config: RunConfig) -> None:
    for key, text in (("template", config.template), ("attribute-template", config.attribute_template)):
        if "{class}" not in text:
            raise ConfigError(f"{key} is '{text}'; it must hold {{class}}")
    if "{attribute}" not in config.attribute_template:
        raise ConfigError(
            f"attribute-template is '{config.attribute_template}'; it must hold {{attribute}}"
        )
    if config.fraction_train == 0:
        raise ConfigError("fraction-train is 0.0; allowed: above 0, up to 1")
    if config.pretrained == "embedded" and config.backbone != "tiny":
        raise ConfigError(
            f"pretrained is 'embedded' but backbone is '{config.backbone}'; embedded weights exist "
            "for backbone 'tiny' only: name an open_clip tag, a checkpoint's path, or '' for random"
        )
    if config.dataset == "imagefolder" and not config.data_dir:
        raise ConfigError("data-dir is empty; dataset 'imagefolder' needs the folder of the pictures")
    if not config.run_name or "/" in config.run_name or config.run_name in (".", ".."):
        raise ConfigError(f"run-name is '{config.run_name}'; allowed: a folder name without '/'")
