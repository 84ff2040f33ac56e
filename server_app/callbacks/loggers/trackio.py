"""Trackio: in its own folder on this machine (TRACKIO_DIR), where `trackio show` finds all runs."""

import io
import uuid
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from server_app.callbacks.loggers.logger import PROJECT, ExperimentLogger

if TYPE_CHECKING:
    from trackio import Run


class TrackioLogger(ExperimentLogger):
    """Logs to Trackio; TRACKIO_DIR, TRACKIO_SPACE_ID and the like are read."""

    name = "trackio"

    def open(self, id: str) -> str:
        """Trackio knows a run by its name, which so must be nobody else's."""
        import trackio

        name = id or f"{self.run_name}-{uuid.uuid4().hex[:8]}"
        with redirect_stdout(io.StringIO()):  # it prints hints
            self._run: Run = trackio.init(
                project=PROJECT,
                name=name,
                config=dict(self.settings),
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
        return name

    def log(self, round: int, scalars: Mapping[str, float], position: int) -> None:
        """Written by a thread of Trackio's, soon."""
        self._run.log(dict(scalars), step=round)

    def log_pictures(self, pictures: Mapping[str, Path], round: int, position: int) -> None:
        """Trackio copies the files."""
        import trackio

        images = {name: trackio.Image(str(path)) for name, path in pictures.items()}
        self._run.log(images, step=round)

    def close(self, status: str) -> None:
        """Wait until all is written; Trackio has no status."""
        import trackio

        with redirect_stdout(io.StringIO()):
            trackio.finish()
