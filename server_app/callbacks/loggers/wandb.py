"""Weights & Biases: offline, in the run folder, unless there is an API key or WANDB_MODE.

`wandb sync` uploads later what was logged offline.
"""

import netrc
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from server_app.callbacks.loggers.logger import PROJECT, ExperimentLogger

if TYPE_CHECKING:
    from wandb import Run

HOST = "https://api.wandb.ai"


class WandbLogger(ExperimentLogger):
    """Logs to Weights & Biases; WANDB_MODE, WANDB_API_KEY, WANDB_PROJECT are read."""

    name = "wandb"

    def open(self, id: str) -> str:
        """A run is known by an id that is chosen here; `round` is the axis of every number."""
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        offline = "WANDB_MODE" not in os.environ and not has_api_key()
        self._run: Run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=self.run_name,
            id=id or uuid.uuid4().hex[:8],
            resume="allow",
            reinit="create_new",
            dir=str(self.folder),
            config=dict(self.settings),
            mode="offline" if offline else None,
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric("round")
        self._run.define_metric("*", step_metric="round")
        return str(self._run.id)

    def log(self, round: int, scalars: Mapping[str, float], position: int) -> None:
        """W&B's own step must grow, and rows of round 0 come last: it is the position."""
        self._run.log({**scalars, "round": round}, step=position)

    def log_pictures(self, pictures: Mapping[str, Path], round: int, position: int) -> None:
        """W&B copies the files."""
        import wandb

        images = {name: wandb.Image(str(path)) for name, path in pictures.items()}
        self._run.log({**images, "round": round}, step=position)

    def close(self, status: str) -> None:
        """A run that did not complete is marked as failed."""
        self._run.finish(exit_code=0 if status == "completed" else 1)


def has_api_key() -> bool:
    """Whether WANDB_API_KEY or the netrc file holds a key for the W&B server."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or HOST).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
