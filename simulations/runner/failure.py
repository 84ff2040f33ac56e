"""Finds out why a run failed whose server could not say so."""

import re
import shutil
from pathlib import Path

from fedmvp_core.run_folder import APP_LOG, SUPERLINK_LOG
from simulations.runner.claimed_folder import since_taken_up
from simulations.runner.flower import RunStatus, plain

# The last line of a traceback: `package.module.SomeError: why`.
_RAISED = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Timeout|Interrupt)(?:: .+)?$")
# What Flower raises around an error of its engine says nothing of it.
_WRAPPED = ("An error was encountered. Ending simulation.", "Simulation Runtime crashed.")
_LOGGED = re.compile(r"\b(?:ERROR|CRITICAL)\b[\s:]+(?P<text>\S.*)$")
_TAIL_BYTES = 200_000
_LITTLE_BYTES = 100_000


def reason(folder: Path, status: RunStatus | None) -> str:
    """One sentence: what the logs say last, else what Flower says, and where to read more."""
    if shutil.disk_usage(folder).free < _LITTLE_BYTES:  # then the logs are cut off too
        return f"no space is left for the run folder {folder}: free some, and use resume=latest"
    for name in (APP_LOG, SUPERLINK_LOG):
        if sentence := _last_error(folder / name):
            return f"{sentence} (see {folder / name})"
    details = status.details if status and status.details not in ("", "N/A") else ""
    why = f": {details}" if details else " without a word"
    return f"the run's process ended{why} (see {folder / APP_LOG})"


def _last_error(log: Path) -> str | None:
    try:
        data = log.read_bytes()
        text = plain(data[since_taken_up(data) :][-_TAIL_BYTES:].decode(errors="replace"))
    except OSError:
        return None
    lines = [line.strip() for line in text.splitlines()]
    raised = [line for line in lines if _RAISED.match(line) and not line.endswith(_WRAPPED)]
    logged = [match["text"] for line in lines if (match := _LOGGED.search(line))]
    # A traceback says more than a log record about it.
    return next(iter([*raised[-1:], *logged[-1:]]), None)
