"""The contract of a callback: that it is made, and hears everything without raising."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.registry import CALLBACKS, find
from server_app.callbacks import Callback, Event, Run, make_callback
from simulations.plugins.findings import Finding, checked, default_options, small_config

SHOWN = {"base": 0.5, "new": 0.25}
ROUND: Event = {
    "event": "round",
    "round": 1,
    "failed": 1,
    "loss": 1.5,
    "seconds": 0.1,
    "clients": 1,
    "refused-replies": 1,
    "bytes-up": 2048,
    "bytes-down": 4096,
}
# As a run of one round tells it (docs/run_folder.md).
EVENTS: tuple[tuple[str, Event], ...] = (
    ("run_began", {"event": "start", "rounds": 1, "clients": 2, "prompt-numbers": 512}),
    ("evaluated", {"event": "evaluation", "round": 0, "metric": "accuracy", "accuracy": SHOWN}),
    ("checkpoint_written", {"event": "checkpoint", "round": 0, "path": "round-0000.safetensors"}),
    ("round_began", {"event": "round-began", "round": 1}),
    ("update_refused", {"event": "refused", "round": 1, "kind": "schema", "reason": "of another"}),
    ("round_ended", ROUND),
    ("checkpoint_written", {"event": "checkpoint", "round": 1, "path": "round-0001.safetensors"}),
    ("evaluated", {"event": "evaluation", "round": 1, "metric": "accuracy", "accuracy": SHOWN}),
    (
        "evaluated",
        {"event": "robust-evaluation", "round": 1, "attack": "pgd-10 eps=4/255", "accuracy": SHOWN},
    ),
    ("run_ended", {"event": "end", "status": "completed", "error": None}),
)


def check_callback(name: str, words: dict[str, Scalar]) -> Iterator[Finding]:
    """Every check that makes sense after those before it."""
    loads = checked(f"callback '{name}' loads", lambda: _loads(name))
    yield loads
    if loads.wrong:
        return
    options = default_options(find(CALLBACKS, name), f"callback '{name}'")
    yield options
    if options.wrong:
        return
    config = small_config(words, callbacks=name)
    with tempfile.TemporaryDirectory() as folder:
        made: list[Callback] = []
        yield checked("its factory makes a Callback", lambda: _makes(name, config, folder, made))
        for callback in made:
            yield from _heard(callback)


def _loads(name: str) -> str:
    factory = find(CALLBACKS, name)
    return "" if callable(factory) else f"it is a {type(factory).__name__}; allowed: a factory"


def _makes(name: str, config: RunConfig, folder: str, made: list[Callback]) -> str:
    made.append(make_callback(name, Run(config, Path(folder))))
    return ""


def _heard(callback: Callback) -> list[Finding]:
    """All events in the order of a run; one finding for each hook."""
    wrong: dict[str, str] = {}
    for hook, event in EVENTS:
        try:
            getattr(callback, hook)(event)
        except Exception as error:  # whatever another package's callback raises
            wrong[hook] = f"{type(error).__name__}: {error} on {dict(event)}"
    hooks = dict.fromkeys(hook for hook, _ in EVENTS)
    return [Finding(f"{hook} does not raise", wrong.get(hook, "")) for hook in hooks]
