"""Callbacks: what listens to a run.

A plugin's factory gets its options (if it declares some) and the run, and returns a Callback, of
which it overrides what it wants to hear. Calls come from the server's process, in order. One that
raises is reported once and hears nothing more; the run goes on.
"""

import importlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from fedmvp_core.config import LOGGERS, RunConfig, RunSection
from fedmvp_core.config.options import (
    option_names,
    option_words,
    options_text,
    options_type,
    parse_options,
)
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import CALLBACKS, find

Event: TypeAlias = Mapping[str, Any]
logger = logging.getLogger("flwr.fedmvp")


@dataclass(frozen=True)
class Run:
    """What a callback may know from the beginning."""

    config: RunConfig
    folder: Path


class Callback:
    """Hears nothing; override what is wanted. `event` is what progress.jsonl holds of it."""

    def run_began(self, event: Event) -> None:
        """Rounds, clients and the number of prompt tensor elements are known."""

    def round_began(self, event: Event) -> None:
        """The cohort is about to be sent its messages."""

    def round_ended(self, event: Event) -> None:
        """The updates of a round are aggregated: loss, seconds, clients, failed, bytes."""

    def update_refused(self, event: Event) -> None:
        """A reply did not count: kind and reason."""

    def evaluated(self, event: Event) -> None:
        """The server has tested the tensors of a round; under attack if the event names one."""

    def checkpoint_written(self, event: Event) -> None:
        """The tensors of a round are on disk: path."""

    def run_ended(self, event: Event) -> None:
        """Status is completed or failed; error says why. The last call."""


_HOOKS: Mapping[str, str] = {
    "start": "run_began",
    "round-began": "round_began",
    "round": "round_ended",
    "refused": "update_refused",
    "evaluation": "evaluated",
    "robust-evaluation": "evaluated",
    "checkpoint": "checkpoint_written",
    "end": "run_ended",
}


class Callbacks:
    """All callbacks of a run; each that raises is dropped with one warning."""

    def __init__(self) -> None:
        self._named: dict[str, Callback] = {}

    def begin(self, config: RunConfig, folder: Path) -> None:
        """Make the callbacks of `callbacks` and `log-to`, and prometheus with a metrics-port.

        Raises:
            ConfigError: a callback is not installed or cannot be made.
        """
        run = Run(config, folder)
        check_callbacks(config.run)
        for name in callback_names(config.run):
            self._named[name] = make_callback(name, run)

    def tell(self, event: Event) -> None:
        """Pass an event on to the hook that it belongs to; nothing is heard after the end."""
        hook = _HOOKS.get(event["event"])
        if hook is None:
            return
        for name, callback in list(self._named.items()):
            try:
                getattr(callback, hook)(event)
            except Exception as error:  # whatever another package's callback raises
                del self._named[name]
                logger.warning(
                    "callback '%s' raised in %s and hears nothing more: %s: %s",
                    *(name, hook, type(error).__name__, error),
                )
        if hook == "run_ended":
            self._named.clear()


def _own_options(name: str, run: RunSection) -> Any:
    """A callback's part of `callback-options`."""
    declared = options_type(find(CALLBACKS, name))
    words = option_words("callbacks", run.callback_options)
    own = {k.partition(".")[2]: v for k, v in words.items() if k.startswith(f"{name}.")}
    return parse_options(f"callback '{name}'", declared, options_text(own))


def callback_names(run: RunSection) -> Sequence[str]:
    """The names of the run's callbacks."""
    prometheus = ["prometheus"] if run.metrics_port else []
    names = [*run.callbacks.split(","), *prometheus, *run.log_to.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def make_callback(name: str, run: Run) -> Callback:
    """An installed callback with its part of `callback-options`.

    Raises:
        ConfigError: it is not installed or cannot be made.
    """
    factory, owner = find(CALLBACKS, name), f"callback '{name}'"
    options = _own_options(name, run.config.run)
    try:
        callback = factory(run, options) if option_names(options_type(factory)) else factory(run)
    except ConfigError:
        raise
    except Exception as error:  # whatever another package's factory raises
        raise ConfigError(f"{owner} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(callback, Callback):
        raise ConfigError(f"{owner} makes a {type(callback).__name__}; allowed: a Callback")
    return callback


def _check_package(name: str, key: str) -> None:
    """Whether the package of an experiment logger is there. key: what names the logger."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{key} is '{name}', which needs the package {name} ({error}); "
            f'install it: pip install "fedmvp[{name}]"'
        ) from None


def check_callbacks(run: RunSection) -> None:
    """See whether the run's callbacks are installed, and their options are what they may be.

    Raises:
        ConfigError: they are not.
    """
    names = callback_names(run)
    for name in names:
        _own_options(name, run)
        if name in LOGGERS:
            _check_package(name, "log-to" if name in run.log_to.split(",") else "callbacks")
    for key in option_words("callbacks", run.callback_options):
        if key.partition(".")[0] not in names:
            raise ConfigError(
                f"callback-options hold '{key}'; allowed: NAME.OPTION=VALUE of the run's callbacks "
                f"({', '.join(names) or 'none'})"
            )
