"""Differential privacy on the server's side: noise on what is averaged, and what a run spends.

With central privacy clients trust the server, and everybody who sees the global prompt tensors
later learns little about whether one of them took part. With local privacy they need not trust it.
"""

import hashlib
from collections.abc import Mapping, Sequence

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger
from fedmvp_core.privacy import affordable_releases, epsilon_spent, noise_for, private_mean
from server_app.aggregation import Rule, Update
from server_app.records.run_folder import RunFolder

METRIC = "dp-epsilon"


def with_central_privacy(rule: Rule, config: RunConfig, names: Sequence[str], cohort: int) -> Rule:
    """The private mean in the rule's place, if `privacy` is central.

    names: all tensors that anybody may send in this run, in a fixed order. cohort: how many clients
    a round asks.
    """
    if config.privacy.privacy != "central":
        return rule

    def private(updates: Sequence[Update], current: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return private_mean(
            (update.tensors for update in updates),
            current,
            names,
            cohort,
            config.privacy.clipping_norm,
            config.privacy.noise_multiplier,
            # The round's own tensors stand for the round: with noise in them, no two are the same.
            noise_for(config, f"central privacy {_digest(current)}"),
        )

    return private


def within_budget(config: RunConfig) -> RunConfig:
    """The configuration with as many rounds as max-dp-epsilon allows.

    Each round spends the same, whoever answers, so what a run spends is known before it starts.

    Raises:
        ConfigError: one round is too many, or the accountant is not installed.
    """
    if config.privacy.privacy == "none" or config.federation.rounds == 0:
        return config
    rounds = affordable_rounds(config)
    spent = epsilon_spent(
        config.privacy.noise_multiplier, config.federation.rounds, config.privacy.dp_delta
    )
    logger.info(
        "%s privacy: epsilon %.3f after the last of %d rounds, at delta %g%s",
        config.privacy.privacy,
        spent,
        config.federation.rounds,
        config.privacy.dp_delta,
        "; dp-noise is seeded and protects nobody" if config.privacy.dp_noise == "seeded" else "",
    )
    if config.privacy.privacy == "local" and config.privacy.share_metrics:
        logger.warning("epsilon counts the prompt tensors alone; share-metrics sends more")
    if rounds < config.federation.rounds:
        logger.warning(
            "max-dp-epsilon %g ends training after round %d of %d",
            config.privacy.max_dp_epsilon,
            rounds,
            config.federation.rounds,
        )
    return config.with_values(rounds=rounds)


def affordable_rounds(config: RunConfig) -> int:
    """How many of a run's rounds max-dp-epsilon allows; without privacy all of them.

    Raises:
        ConfigError: one round is too many, or the accountant is not installed.
    """
    privacy, rounds = config.privacy, config.federation.rounds
    if privacy.privacy == "none" or rounds == 0:
        return rounds
    spent = epsilon_spent(privacy.noise_multiplier, 1, privacy.dp_delta)
    affordable = affordable_releases(
        privacy.noise_multiplier, privacy.dp_delta, privacy.max_dp_epsilon, rounds
    )
    if affordable == 0:
        raise ConfigError(
            f"max-dp-epsilon is {privacy.max_dp_epsilon:g}, but one round with "
            f"noise-multiplier {privacy.noise_multiplier:g} spends {spent:.3f}; "
            "allowed: at least that, or more noise"
        )
    return affordable


def record_epsilon(folder: RunFolder, config: RunConfig, round: int) -> None:
    """What has been spent after a round: of a client that took part in every one so far."""
    if config.privacy.privacy != "none":
        spent = epsilon_spent(config.privacy.noise_multiplier, round, config.privacy.dp_delta)
        folder.record(round, "train", METRIC, spent)
        folder.write_metrics()
        logger.info(
            "round %d: epsilon %.3f spent at delta %g", round, spent, config.privacy.dp_delta
        )


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in tensors.items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
