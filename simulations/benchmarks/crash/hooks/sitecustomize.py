"""Stops a process of a run at a chosen moment, so that crash.matrix can kill one there.

Python imports a module of this name at its start. The matrix puts this folder on the import path of
the processes that it starts, and on nobody else's: what is measured is the program as it is.

CRASH_POINT names the moment and CRASH_ROUND the round; the first process to come there writes its
id and FLWR_HOME to CRASH_FOLDER/reached, and waits for CRASH_FOLDER/go.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

WAIT_SECONDS = 120.0
POINT, ROUND = os.environ.get("CRASH_POINT", ""), int(os.environ.get("CRASH_ROUND", "0"))


def reach() -> None:
    """Say that the moment has come, once in a run, and wait for what happens."""
    folder = Path(os.environ["CRASH_FOLDER"])
    own = folder / f"reached.{os.getpid()}"
    own.write_text(f"{os.getpid()} {os.environ.get('FLWR_HOME', '')}")
    try:
        os.link(own, folder / "reached")  # whole, and by one process alone
    except FileExistsError:
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def before(module: Any) -> None:
    """When the server is about to ask its clients."""
    configure = module.PromptStrategy.configure_train

    def stopping(self: Any, server_round: int, *rest: Any, **more: Any) -> Any:
        messages = configure(self, server_round, *rest, **more)
        if server_round == ROUND:
            reach()
        return messages

    module.PromptStrategy.configure_train = stopping


def training(module: Any) -> None:
    """When a client has trained one batch, or all of them."""
    train, batches, current = module.train_locally, module._batches, {"round": 0}

    def stopping(*given: Any, **named: Any) -> Any:
        current["round"] = named.get("round", given[5] if len(given) > 5 else 0)
        result = train(*given, **named)
        if POINT == "after" and current["round"] == ROUND:
            reach()
        return result

    def stopping_batches(*given: Any, **named: Any) -> Iterator[Any]:
        for batch in batches(*given, **named):
            yield batch
            if POINT == "during" and current["round"] == ROUND:
                reach()

    module.train_locally, module._batches = stopping, stopping_batches


def aggregation(module: Any) -> None:
    """When the server has averaged and nothing knows of it yet."""
    mean, calls = module.weighted_mean, [0]

    def stopping(*given: Any, **named: Any) -> Any:
        result = mean(*given, **named)
        calls[0] += 1
        if calls[0] == ROUND:
            reach()
        return result

    module.weighted_mean = stopping


def checkpoint(module: Any) -> None:
    """When half of the prompt tensors are on the disk."""
    write = module._write

    def stopping(path: Path, data: bytes) -> None:
        if path.name.startswith(f".round-{ROUND:04d}.safetensors"):
            write(path, data[: len(data) // 2])
            reach()
        write(path, data)

    module._write = stopping


PATCHES: dict[str, tuple[str, Callable[[Any], None]]] = {
    "before": ("server_app.strategy", before),
    "during": ("fedmvp_core.training", training),
    "after": ("fedmvp_core.training", training),
    "aggregation": ("fedmvp_core.aggregation", aggregation),
    "checkpoint": ("server_app.records.checkpoints", checkpoint),
}


class Patching(MetaPathFinder):
    """Changes one module as soon as it has been imported."""

    def __init__(self, name: str, patch: Callable[[Any], None]) -> None:
        self.name, self.patch, self.searching = name, patch, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that others find for the module, with a loader that changes it."""
        if fullname != self.name or self.searching:
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            _change_after(spec.loader, self.patch)
        return spec


def _change_after(loader: Loader, patch: Callable[[Any], None]) -> None:
    execute = loader.exec_module

    def executing(module: ModuleType) -> None:
        execute(module)
        patch(module)

    loader.exec_module = executing  # type: ignore[method-assign]


if POINT in PATCHES:
    sys.meta_path.insert(0, Patching(*PATCHES[POINT]))
