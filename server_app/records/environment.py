"""What a run was made with: versions, platform, sources and times."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fedmvp_core.code_version import source_folder, source_hash

VERSIONED = ("fedmvp", "torch", "open_clip_torch", "flwr", "ray", "numpy")


def environment(
    device: str, activation: str, started: float, resumed_after: int | None
) -> dict[str, Any]:
    """The content of environment.json now.

    activation: the backbone's, and how it is known. started: of this process, in seconds since the
    epoch. resumed_after: the round after which this process went on, if it did.
    """
    versions = {name.replace("open_clip_torch", "open-clip"): version(name) for name in VERSIONED}
    ended = time.time()
    resumed = {} if resumed_after is None else {"resumed-after": resumed_after}
    return {
        **versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "activation": activation,
        "source-hash": source_hash(),
        "source-folder": str(source_folder()),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "ended": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
        "seconds": round(ended - started, 1),
        **resumed,
    }
