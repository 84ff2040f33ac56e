"""The run configuration: typed and checked once, at the edge.

`pyproject.toml` ([tool.flwr.app.config]) holds every key with its default; this module says what is
allowed. Keys are kebab-case outside (`learning-rate`) and snake_case inside (`learning_rate`).
"""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_type_hints

from fedmvp_core.adversarial.epsilon import parse_epsilon
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.registry import (
    DATASETS,
    METHODS,
    PARTITIONS,
    SETTINGS,
    STRATEGIES,
    names_in,
)

Scalar = bool | int | float | str
STRESS_ATTACKS = ("none", "sign-flip", "noise", "label-flip", "backdoor", "nan", "replay")
# Keys that say where a run leaves things, how it begins and is watched, not what it computes.
PLACES = (
    *("run-name", "output-dir", "cache-dir", "overwrite", "resume"),
    *("log-format", "metrics-port", "metrics-host"),
)
SEVERAL_DATASETS = ("base-to-new", "few-shot")  # settings that may be of several data sets at once
BY_DOMAIN = ("by-domain", "by-domain-and-class")


@dataclass(frozen=True)
class Between:
    """Numbers that are allowed, both ends included."""

    low: float
    high: float = math.inf


@dataclass(frozen=True)
class OneOf:
    """Words that are allowed: those listed, or the names of what is installed in a group."""

    words: tuple[str, ...] = ()
    group: str = ""
    several: bool = False  # more than one may be named, with commas between them

    def choices(self) -> tuple[str, ...]:
        """All allowed words."""
        return names_in(self.group) if self.group else self.words


@dataclass(frozen=True)
class Epsilon:
    """A radius of L-infinity attacks in pixel units, [0, 1], such as "4/255"; "" where optional."""

    optional: bool = False


@dataclass(frozen=True)
class RunConfig:
    """One field for each key; pyproject.toml explains them, beside their defaults."""

    run_name: str
    output_dir: str
    cache_dir: str
    overwrite: bool
    resume: Annotated[str, OneOf(("", "latest"))]
    log_format: Annotated[str, OneOf(("text", "json"))]
    metrics_port: Annotated[int, Between(0, 65535)]
    metrics_host: str
    seed: Annotated[int, Between(0)]
    backbone: str
    pretrained: str
    precision: Annotated[str, OneOf(("fp32", "bf16"))]
    device: Annotated[str, OneOf(("auto", "cpu", "cuda"))]
    method: Annotated[str, OneOf(group=METHODS)]
    prompt_length: Annotated[int, Between(1, 64)]
    attention_heads: Annotated[int, Between(1, 64)]
    lora_rank: Annotated[int, Between(1, 1024)]
    lora_threshold: Annotated[float, Between(0)]
    prompt_init: Annotated[str, OneOf(("frozen", "random"))]
    lora_init: Annotated[str, OneOf(("zero", "normal"))]
    context_length: Annotated[int, Between(1, 64)]
    class_specific: bool
    deep_length: Annotated[int, Between(1, 64)]
    deep_depth: Annotated[int, Between(0)]
    coupling: Annotated[str, OneOf(("text-to-image", "image-to-text", "independent"))]
    coupled_prompts: bool
    pad_size: Annotated[int, Between(0)]
    dataset: Annotated[str, OneOf(group=DATASETS, several=True)]
    data_dir: str
    decode_cache: bool
    on_bad_image: Annotated[str, OneOf(("error", "skip"))]
    template: str
    attribute_template: str
    attributes: str
    attribute_weight: Annotated[float, Between(0, 1)]
    setting: Annotated[str, OneOf(group=SETTINGS)]
    target_domain: str
    source_domain: str
    target_datasets: str
    label_split: str
    mask_rate: Annotated[float, Between(0, 0.999)]
    partition: Annotated[str, OneOf(group=PARTITIONS)]
    clients: Annotated[int, Between(0)]
    shots: Annotated[int, Between(0)]
    shot_sampling: Annotated[str, OneOf(("fedmvp", "coop"))]
    classes_per_client: Annotated[int, Between(1)]
    dirichlet_alpha: Annotated[float, Between(1e-3)]
    eval_split: Annotated[str, OneOf(("test", "validation"))]
    local_epochs: Annotated[int, Between(1)]
    batch_size: Annotated[int, Between(1)]
    learning_rate: Annotated[float, Between(0)]
    momentum: Annotated[float, Between(0, 1)]
    weight_decay: Annotated[float, Between(0)]
    alpha: Annotated[float, Between(0)]
    multi_label_loss: Annotated[str, OneOf(("asl", "bce"))]
    beta: Annotated[float, Between(0)]
    capt_weight: Annotated[float, Between(0)]
    alpha_cons: Annotated[str, OneOf(("constant", "ce-ratio", "confidence"))]
    alpha_cons_value: Annotated[float, Between(0, 1)]
    alpha_cons_per: Annotated[str, OneOf(("batch", "sample"))]
    epsilon: Annotated[str, Epsilon()]
    attack_steps: Annotated[int, Between(1)]
    attack_step_size: Annotated[str, Epsilon(optional=True)]
    attack_classes: Annotated[str, OneOf(("local", "global"))]
    attack_prompt: Annotated[str, OneOf(("on-the-fly", "constant", "perturbed"))]
    perturb_rate: Annotated[float, Between(0)]
    robust_attack: str
    robust_epsilon: Annotated[str, Epsilon(optional=True)]
    robust_steps: Annotated[int, Between(1)]
    robust_every: Annotated[int, Between(0)]
    robust_images: Annotated[int, Between(0)]
    strategy: Annotated[str, OneOf(group=STRATEGIES)]
    malicious_share: Annotated[float, Between(0, 0.499)]
    selected_clients: Annotated[int, Between(0)]
    weighting: Annotated[str, OneOf(("uniform", "examples"))]
    rounds: Annotated[int, Between(0)]
    fraction_train: Annotated[float, Between(0, 1)]
    fraction_evaluate: Annotated[float, Between(0, 1)]
    evaluate_every: Annotated[int, Between(1)]
    node_timeout: Annotated[float, Between(1)]
    round_timeout: Annotated[float, Between(1)]
    min_clients: Annotated[int, Between(1)]
    on_too_few: Annotated[str, OneOf(("stop", "repeat"))]
    round_retries: Annotated[int, Between(1)]
    max_update_norm: Annotated[float, Between(0)]
    max_examples: Annotated[int, Between(0)]
    stress_attack: Annotated[str, OneOf(STRESS_ATTACKS)]
    stress_fraction: Annotated[float, Between(0, 1)]
    stress_scale: Annotated[float, Between(0)]
    share_class_names: bool
    share_metrics: bool
    privacy: Annotated[str, OneOf(("none", "central", "local"))]
    clipping_norm: Annotated[float, Between(1e-6)]
    noise_multiplier: Annotated[float, Between(0.1)]
    dp_delta: Annotated[float, Between(1e-12, 0.1)]
    dp_noise: Annotated[str, OneOf(("system", "seeded"))]
    max_dp_epsilon: Annotated[float, Between(0)]

    def as_mapping(self) -> dict[str, Scalar]:
        """Kebab-case keys and plain values, as they travel and as config.json holds them."""
        return {_kebab(name): value for name, value in dataclasses.asdict(self).items()}


def parse_config(mapping: Mapping[str, Any]) -> RunConfig:
    """Check a flat kebab-case mapping that holds every key.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type, out of range, or
            contradicts another; the message names the key, the value and what is allowed.
    """
    kinds = {
        _kebab(name): kind for name, kind in get_type_hints(RunConfig, include_extras=True).items()
    }
    for key in mapping:
        if key not in kinds:
            raise ConfigError(f"unknown run-config key '{key}'{did_you_mean(key, list(kinds))}")
    missing = sorted(set(kinds) - set(mapping))
    if missing:
        raise ConfigError(f"run-config lacks the keys {', '.join(missing)}")
    values: dict[str, Any] = {
        key.replace("-", "_"): _check(key, mapping[key], kind) for key, kind in kinds.items()
    }
    config = RunConfig(**values)
    _check_together(config)
    return config


def did_you_mean(word: str, known: list[str]) -> str:
    """A clause that offers the nearest known words, or lists all of them."""
    close = difflib.get_close_matches(word, known, n=3)
    return (
        f"; did you mean {', '.join(close)}?" if close else f"; known: {', '.join(sorted(known))}"
    )


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _check(key: str, value: Any, kind: Any) -> Scalar:
    """The value of one key, converted without loss (3 -> 3.0), or a ConfigError."""
    plain, *limits = get_args(kind) or (kind,)
    if any(isinstance(limit, Epsilon) for limit in limits) and type(value) in (int, float):
        value = str(value)  # "4/255" and 0.0157 are both fine
    converted: Scalar = _convert(key, value, plain)
    for limit in limits:
        if isinstance(limit, Between):
            _check_range(key, float(converted), limit)
        elif isinstance(limit, Epsilon):
            _check_epsilon(key, str(converted), limit)
        elif limit.several:
            converted = _check_names(key, str(converted), limit.choices())
        elif converted not in limit.choices():
            words = ", ".join(word or "''" for word in limit.choices())
            raise ConfigError(f"{key} is '{converted}'; allowed: {words or 'none'}")
    return converted


def _check_names(key: str, text: str, choices: tuple[str, ...]) -> str:
    """Different names with commas between them, without the spaces."""
    names = [name.strip() for name in text.split(",")]
    if len(set(names)) < len(names) or not set(names) <= set(choices):
        several = "; different ones of them with commas between" if len(names) > 1 else ""
        raise ConfigError(f"{key} is '{text}'; allowed: {', '.join(choices) or 'none'}{several}")
    return ",".join(names)


def dataset_names(config: RunConfig) -> tuple[str, ...]:
    """The data sets of a run: one or, in a federation over several, more."""
    return tuple(config.dataset.split(","))


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


def _check_together(config: RunConfig) -> None:
    for key, text, needed in (
        ("template", config.template, ("{class}",)),
        ("attribute-template", config.attribute_template, ("{class}", "{attribute}")),
    ):
        for placeholder in needed:
            if text != "auto" and placeholder not in text:
                raise ConfigError(f"{key} is '{text}'; it must hold {placeholder}, or be auto")
    _check_attack(config.robust_attack)
    if config.attack_step_size and parse_epsilon(config.attack_step_size) == 0:
        raise ConfigError("attack-step-size is 0; allowed: above 0, up to 1, or '' for 2/3 epsilon")
    if config.fraction_train == 0:
        raise ConfigError("fraction-train is 0.0; allowed: above 0, up to 1")
    if config.pretrained in ("embedded", "embedded-robust") and config.backbone != "tiny":
        raise ConfigError(
            f"pretrained is '{config.pretrained}' but backbone is '{config.backbone}'; embedded "
            "weights exist for backbone 'tiny' only: name an open_clip tag, a checkpoint's path, "
            "or '' for random"
        )
    _check_folder(config)
    _check_several(config)
    _check_privacy(config)
    if not config.run_name or "/" in config.run_name or config.run_name in (".", ".."):
        raise ConfigError(f"run-name is '{config.run_name}'; allowed: a folder name without '/'")


def _check_privacy(config: RunConfig) -> None:
    if config.privacy == "central" and config.strategy != "fedavg":
        # How far one client can move the others' outcomes is not known.
        raise ConfigError(
            f"strategy is '{config.strategy}' but privacy is 'central'; allowed with it: fedavg"
        )
    if config.privacy != "none" and config.lora_init != "zero":
        raise ConfigError(
            f"lora-init is '{config.lora_init}' but privacy is '{config.privacy}', which would "
            "clip the draw too; allowed with it: zero"
        )
    _check_repeats(config)
    if config.weighting == "examples" and (config.privacy == "central" or not config.share_metrics):
        wanted = "privacy is 'central'" if config.share_metrics else "share-metrics is false"
        raise ConfigError(f"weighting is 'examples' but {wanted}; allowed with it: uniform")
    if config.fraction_evaluate > 0 and not config.share_metrics:
        raise ConfigError(
            f"fraction-evaluate is {config.fraction_evaluate:g} but share-metrics is false; "
            "allowed with it: 0"
        )


def _check_repeats(config: RunConfig) -> None:
    """A round that clients play twice with other noise spends twice, which nobody would count."""
    if config.privacy != "local" or config.dp_noise == "seeded":
        return
    for key, value, allowed in (
        ("on-too-few", config.on_too_few, "stop"),
        ("resume", config.resume, ""),
    ):
        if value != allowed:
            raise ConfigError(
                f"{key} is '{value}' but privacy is 'local', where a round played again spends "
                f"again; allowed with it: '{allowed}'"
            )


def _check_folder(config: RunConfig) -> None:
    from fedmvp_core.data.known import needs_folder  # which reads configurations itself

    for name in dataset_names(config):
        if not config.data_dir and needs_folder(name):
            raise ConfigError(
                f"data-dir is empty; dataset '{name}' needs the folder of the pictures"
            )


def _check_several(config: RunConfig) -> None:
    """What one federation over several data sets can be."""
    if len(dataset_names(config)) == 1:
        return
    if config.setting not in SEVERAL_DATASETS:
        raise ConfigError(
            f"dataset is '{config.dataset}', but setting '{config.setting}' trains on one; allowed "
            f"with several: {', '.join(SEVERAL_DATASETS)}"
        )
    if config.partition in (*BY_DOMAIN, "own"):
        raise ConfigError(
            f"dataset is '{config.dataset}', but partition '{config.partition}' is for one; "
            "allowed with several: disjoint-classes, and others that look at classes"
        )


def _check_attack(name: str) -> None:
    from fedmvp_core.adversarial.attacks import evaluation_attack  # torch, which most keys spare

    if name != "none":
        try:
            evaluation_attack(name)
        except FedMVPError as error:
            raise ConfigError(f"robust-attack: {error}, none") from None
