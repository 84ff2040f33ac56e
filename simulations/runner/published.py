"""protocol=published among the places that a run's keys come from."""

import logging
from collections.abc import Mapping, Sequence

from fedmvp_core.config import PUBLISHED, RunConfig, Scalar
from simulations.runner.overrides import merged

logger = logging.getLogger(__name__)


def with_published(layers: Sequence[Mapping[str, Scalar]]) -> list[Mapping[str, Scalar]]:
    """The places, of which a later one wins, with the published values below their protocol's.

    So a value beside or after `protocol=published` wins over the published one, and a value in a
    place before it, such as a shipped run's file, does not.

    Raises:
        ConfigError: the method, or a plugin that published values are for, is not installed.
    """
    naming = [at for at, layer in enumerate(layers) if "protocol" in layer]
    if not naming or layers[naming[-1]]["protocol"] != PUBLISHED:
        return list(layers)
    from fedmvp_core.methods.published import published_values  # imports torch

    values = published_values(merged(*layers))
    return [*layers[: naming[-1]], values, *layers[naming[-1] :]]


def warn_departures(config: RunConfig) -> None:
    """Name each value that a run with protocol=published has otherwise, and a method without."""
    if config.model.protocol != PUBLISHED:
        return
    from fedmvp_core.methods.published import departures, published_keys

    if not published_keys(config):
        logger.warning(
            "protocol is 'published', but no value of method '%s' is public: nothing is set",
            config.model.method,
        )
    for departure in departures(config):
        logger.warning("protocol is 'published', but %s", departure)
