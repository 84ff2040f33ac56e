"""TensorBoard: event files in the run folder; `tensorboard --logdir runs` finds those of all runs.

It keeps numbers with seven digits.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from server_app.callbacks.loggers.logger import ExperimentLogger

if TYPE_CHECKING:
    pass


class TensorBoardLogger(ExperimentLogger):
    """Writes event files for TensorBoard into the run folder."""

    name = "tensorboard"

    def open(self, id: str) -> str:
        """A further file in the same folder is the same run."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer: SummaryWriter = SummaryWriter(str(self.folder))
        if not id:
            self._writer.add_text("config", f"```json\n{json.dumps(self.settings, indent=1)}\n```")
        return self.run_name

    def log(self, round: int, scalars: Mapping[str, float], position: int) -> None:
        """One tag for each name."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, round)
        self._writer.flush()

    def log_pictures(self, pictures: Mapping[str, Path], round: int, position: int) -> None:
        """One tag for each name."""
        for name, path in pictures.items():
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self._writer.add_image(name, pixels, round, dataformats="HWC")

    def close(self, status: str) -> None:
        """Event files have no status."""
        self._writer.close()
