"""The server's log, below Flower's own logger, since `flwr run --stream` shows no other."""

import logging

from fedmvp_core.config import RunConfig
from fedmvp_core.json_logs import note, use_json_lines

logger = logging.getLogger("flwr.fedmvp")


def follow_config(config: RunConfig) -> None:
    """Write JSON lines from now on, Flower's own records too, if log-format says so."""
    note(run_name=config.run_name)
    if config.log_format == "json":
        use_json_lines("flwr", "fedmvp_core")
