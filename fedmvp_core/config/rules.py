"""Keys of a run's configuration that exclude each other, or need each other.

Each function checks one group of keys and raises ConfigError, whose message names the key, its
value and what is allowed.
"""

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.config.keys import (
    ABOUT_DATA,
    BY_DOMAIN,
    FLOAT32,
    SEVERAL_DATASETS,
    DataSection,
    ModelSection,
    RunConfig,
    RunSection,
    dataset_names,
)
from fedmvp_core.config.secure import check_secure_aggregation
from fedmvp_core.errors import ConfigError


def check_together(config: RunConfig) -> None:
    """All rules.

    Raises:
        ConfigError: the values of some keys do not go together.
    """
    _check_templates(config.data)
    _check_zeros(config)
    _check_weights(config.model)
    _check_several_datasets(config.data)
    _check_privacy(config)
    _check_repeated_rounds(config)
    _check_shared_metrics(config)
    _check_run_name(config.run)
    _check_wire(config)
    check_secure_aggregation(config)


def _check_templates(data: DataSection) -> None:
    for key, text, needed in (
        ("template", data.template, ("{class}",)),
        ("attribute-template", data.attribute_template, ("{class}", "{attribute}")),
    ):
        for placeholder in needed:
            if text != "auto" and placeholder not in text:
                raise ConfigError(f"{key} is '{text}'; it must hold {placeholder}, or be auto")


def _check_zeros(config: RunConfig) -> None:
    """Numbers that may be as small as one likes, but not 0."""
    step = config.attack.attack_step_size
    if step and parse_epsilon(step) == 0:
        raise ConfigError("attack-step-size is 0; allowed: above 0, up to 1, or '' for 2/3 epsilon")
    if config.federation.fraction_train == 0:
        raise ConfigError("fraction-train is 0.0; allowed: above 0, up to 1")


def _check_weights(model: ModelSection) -> None:
    if model.pretrained in ("embedded", "embedded-robust") and model.backbone != "tiny":
        raise ConfigError(
            f"pretrained is '{model.pretrained}' but backbone is '{model.backbone}'; embedded "
            "weights exist for backbone 'tiny' only: name an open_clip tag, a checkpoint's path, "
            "or '' for random"
        )


def _check_several_datasets(data: DataSection) -> None:
    """Which settings and partitions can be of several data sets."""
    if len(dataset_names(data)) == 1:
        return
    if data.setting not in SEVERAL_DATASETS:
        raise ConfigError(
            f"dataset is '{data.dataset}', but setting '{data.setting}' trains on one; allowed "
            f"with several: {', '.join(SEVERAL_DATASETS)}"
        )
    if data.partition in (*BY_DOMAIN, "own"):
        raise ConfigError(
            f"dataset is '{data.dataset}', but partition '{data.partition}' is for one; "
            "allowed with several: disjoint-classes, and others that look at classes"
        )


def _check_privacy(config: RunConfig) -> None:
    """Central noise is for a mean: how far one client can move another result is not known."""
    if config.privacy.privacy != "central":
        return
    federation = config.federation
    for key, value, allowed in (
        ("strategy", federation.strategy, ""),
        ("aggregation", federation.aggregation, "fedavg"),
        ("weighting", federation.weighting, "uniform"),
    ):
        if value != allowed:
            raise ConfigError(
                f"{key} is '{value}' but privacy is 'central'; allowed with it: "
                f"{allowed or repr(allowed)}"
            )


def _check_repeated_rounds(config: RunConfig) -> None:
    """With local noise, a repeated round spends privacy again, which the accountant cannot see.

    Seeded noise is the same in both rounds, so that it may be repeated.
    """
    if config.privacy.privacy != "local" or config.privacy.dp_noise == "seeded":
        return
    for key, value, allowed in (
        ("on-too-few", config.federation.on_too_few, "stop"),
        ("resume", config.run.resume, ""),
    ):
        if value != allowed:
            raise ConfigError(
                f"{key} is '{value}' but privacy is 'local', where a round played again spends "
                f"again; allowed with it: '{allowed}'"
            )


def _check_shared_metrics(config: RunConfig) -> None:
    """What the server cannot do without the clients' metrics."""
    if config.privacy.share_metrics:
        return
    masked = config.privacy.secure_aggregation and config.federation.max_examples > 0
    if config.federation.weighting == "examples" and not masked:
        raise ConfigError(
            "weighting is 'examples' but share-metrics is false; allowed with it: uniform, or "
            "secure-aggregation=true with max-examples above 0"
        )
    if config.evaluation.fraction_evaluate > 0:
        raise ConfigError(
            f"fraction-evaluate is {config.evaluation.fraction_evaluate:g} but share-metrics is "
            "false; allowed with it: 0"
        )


def _check_wire(config: RunConfig) -> None:
    """Liars about a result change tensors, and rounded updates are none."""
    wire, attack = config.federation.wire_dtype, config.stress.stress_attack
    if wire != FLOAT32 and attack not in ("none", *ABOUT_DATA):
        raise ConfigError(
            f"wire-dtype is '{wire}' but stress-attack is '{attack}', which rewrites tensors; "
            f"allowed with it: {FLOAT32}, or stress-attack none, {', '.join(ABOUT_DATA)}"
        )


def _check_run_name(run: RunSection) -> None:
    if not run.run_name or "/" in run.run_name or run.run_name in (".", ".."):
        raise ConfigError(f"run-name is '{run.run_name}'; allowed: a folder name without '/'")
    if not all(letter.isprintable() for letter in run.run_name):
        raise ConfigError(f"run-name is {run.run_name!r}; allowed: characters that can be shown")
