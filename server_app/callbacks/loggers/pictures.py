"""Pictures for the loggers of a run that has ended, under the ids of their runs there.

They are made of the tuned model after the run, so that a logger is opened again for them.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from fedmvp_core.config import LOGGERS, RunConfig
from fedmvp_core.disk import replace_text
from fedmvp_core.json_logs import logger
from fedmvp_core.run_folder import COMPLETED, read_object, read_status
from fedmvp_core.run_folder import LOGGERS as FOLDER
from server_app.callbacks.callback import Run, callback_names, make_callback
from server_app.callbacks.loggers.logger import ExperimentLogger

_PICTURES = "pictures"  # of a logger's state: the hash of those that it has


def log_pictures(
    config: RunConfig, folder: Path, pictures: Mapping[str, Path], round: int
) -> list[str]:
    """Give PNG files, by their names, to each logger of the run that does not have them yet.

    A logger that fails is named in a warning. Returns: the names of those that took them.
    """
    content = {name: path.read_bytes() for name, path in sorted(pictures.items())}
    mark = hashlib.sha256(b"".join(content.values())).hexdigest()[:16]
    took = []
    for name in (each for each in callback_names(config.run) if each in LOGGERS):
        path = folder / FOLDER / f"{name}.json"
        state = read_object(path)
        if not content or not state.get("id") or state.get(_PICTURES) == mark:
            continue
        try:
            _pass_on(name, Run(config, folder), state, pictures, round)
        except Exception as error:  # whatever a logger's package raises
            logger.warning(
                "logger '%s' did not take the pictures: %s: %s", name, type(error).__name__, error
            )
            continue
        replace_text(path, json.dumps({**state, _PICTURES: mark}) + "\n")
        took.append(name)
    return took


def _pass_on(
    name: str, run: Run, state: Mapping[str, object], pictures: Mapping[str, Path], round: int
) -> None:
    logging = make_callback(name, run)
    assert isinstance(logging, ExperimentLogger)
    logging.open(str(state["id"]))
    try:
        logging.log_pictures(pictures, round, int(str(state.get("rows", 0))))
    finally:
        logging.close(str(read_status(run.folder).get("status", COMPLETED)))
