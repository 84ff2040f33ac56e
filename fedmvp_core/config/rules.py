"""Keys of a run's configuration that exclude each other, or need each other."""

from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.config.keys import BY_DOMAIN, SEVERAL_DATASETS, RunConfig, dataset_names
from fedmvp_core.errors import ConfigError


def check_together(config: RunConfig) -> None:
    """Raises ConfigError."""
    for key, text, needed in (
        ("template", config.data.template, ("{class}",)),
        ("attribute-template", config.data.attribute_template, ("{class}", "{attribute}")),
    ):
        for placeholder in needed:
            if text != "auto" and placeholder not in text:
                raise ConfigError(f"{key} is '{text}'; it must hold {placeholder}, or be auto")
    if config.attack.attack_step_size and parse_epsilon(config.attack.attack_step_size) == 0:
        raise ConfigError("attack-step-size is 0; allowed: above 0, up to 1, or '' for 2/3 epsilon")
    if config.federation.fraction_train == 0:
        raise ConfigError("fraction-train is 0.0; allowed: above 0, up to 1")
    if (
        config.model.pretrained in ("embedded", "embedded-robust")
        and config.model.backbone != "tiny"
    ):
        raise ConfigError(
            f"pretrained is '{config.model.pretrained}' but backbone is '{config.model.backbone}'; embedded "
            "weights exist for backbone 'tiny' only: name an open_clip tag, a checkpoint's path, "
            "or '' for random"
        )
    _check_folder(config)
    _check_several(config)
    _check_privacy(config)
    if not config.run.run_name or "/" in config.run.run_name or config.run.run_name in (".", ".."):
        raise ConfigError(
            f"run-name is '{config.run.run_name}'; allowed: a folder name without '/'"
        )


def _check_privacy(config: RunConfig) -> None:
    if config.privacy.privacy == "central" and config.federation.aggregation != "fedavg":
        # How far one client can move the others' outcomes is not known.
        raise ConfigError(
            f"aggregation is '{config.federation.aggregation}' but privacy is 'central'; allowed with it: fedavg"
        )
    _check_repeats(config)
    if config.federation.weighting == "examples" and (
        config.privacy.privacy == "central" or not config.privacy.share_metrics
    ):
        wanted = (
            "privacy is 'central'" if config.privacy.share_metrics else "share-metrics is false"
        )
        raise ConfigError(f"weighting is 'examples' but {wanted}; allowed with it: uniform")
    if config.evaluation.fraction_evaluate > 0 and not config.privacy.share_metrics:
        raise ConfigError(
            f"fraction-evaluate is {config.evaluation.fraction_evaluate:g} but share-metrics is false; "
            "allowed with it: 0"
        )


def _check_repeats(config: RunConfig) -> None:
    """A round that clients play twice with other noise spends twice, which nobody would count."""
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


def _check_folder(config: RunConfig) -> None:
    from fedmvp_core.data.catalogue import needs_folder  # which reads configurations itself

    for name in dataset_names(config):
        if not config.data.data_dir and needs_folder(name):
            raise ConfigError(
                f"data-dir is empty; dataset '{name}' needs the folder of the pictures"
            )


def _check_several(config: RunConfig) -> None:
    """What one federation over several data sets can be."""
    if len(dataset_names(config)) == 1:
        return
    if config.data.setting not in SEVERAL_DATASETS:
        raise ConfigError(
            f"dataset is '{config.data.dataset}', but setting '{config.data.setting}' trains on one; allowed "
            f"with several: {', '.join(SEVERAL_DATASETS)}"
        )
    if config.data.partition in (*BY_DOMAIN, "own"):
        raise ConfigError(
            f"dataset is '{config.data.dataset}', but partition '{config.data.partition}' is for one; "
            "allowed with several: disjoint-classes, and others that look at classes"
        )
