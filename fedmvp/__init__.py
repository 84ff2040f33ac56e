"""Federated prompt tuning of frozen CLIP, from Python.

    import fedmvp

    result = fedmvp.simulate(method="fedmvp", rounds=3)
    model = fedmvp.load("exports/demo")
    model.classify(["picture.jpg"], ["cat", "dog"])

Importing this is quick: what a name needs, torch among it, is loaded when the name is used. `load`
and `TunedCLIP` need neither Flower nor Ray.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedmvp.runs import Result, attack, evaluate, simulate
    from fedmvp_core.tuned import TunedCLIP, load

__all__ = [
    "Result",
    "TunedCLIP",
    "__version__",
    "attack",
    "evaluate",
    "load",
    "simulate",
]

_HOMES = {
    "load": "fedmvp_core.tuned",
    "TunedCLIP": "fedmvp_core.tuned",
    "simulate": "fedmvp.runs",
    "evaluate": "fedmvp.runs",
    "attack": "fedmvp.runs",
    "Result": "fedmvp.runs",
}

try:
    __version__ = version("fedmvp")
except PackageNotFoundError:  # copied, not installed; then no plugin is found either
    __version__ = "unknown"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fedmvp' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
