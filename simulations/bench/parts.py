"""The parts that can be measured, by name; without torch, which a part brings when it is run."""

from collections.abc import Sequence

from fedmvp_core.config import did_you_mean
from fedmvp_core.errors import ConfigError

USUAL = ("step", "attack", "evaluation", "round", "start", "memory", "wire", "loading")
# Measured when they are named alone: they are long, or for a question of their own.
GPU = "gpu"
LONGER = ("methods", "crops", "cohort", "secure", "side-by-side", "growth", "scale", GPU)
# Parts that read nothing of a run's configuration.
_WITHOUT_KEYS = ("start", "memory", "wire", "loading", "growth")


def chosen_parts(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The parts that words name, the usual ones if there is none, and the words KEY=VALUE.

    Raises:
        ConfigError: there is no such part, or none of them reads a run's configuration.
    """
    named = [word for word in words if "=" not in word]
    keys = [word for word in words if "=" in word]
    known = (*USUAL, *LONGER)
    for name in named:
        if name not in known:
            raise ConfigError(f"part is '{name}'{did_you_mean(name, list(known))}")
    parts = list(dict.fromkeys(named)) or list(USUAL)
    if keys and set(parts) <= set(_WITHOUT_KEYS):
        raise ConfigError(f"'{keys[0]}' is read by none of the parts {', '.join(parts)}")
    return parts, keys


def module_of(part: str) -> str:
    """The module whose `measure` measures a part."""
    return f"simulations.bench.{part.replace('-', '_')}"
