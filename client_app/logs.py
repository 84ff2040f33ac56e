"""A client's log, below Flower's own logger; it stays on the client's machine."""

import logging

from fedmvp_core.config import RunConfig
from fedmvp_core.json_logs import note, use_json_lines

logger = logging.getLogger("flwr.fedmvp")


def follow_config(config: RunConfig, partition_id: int) -> None:
    """Write JSON lines from now on, Flower's own records too, if log-format says so."""
    note(run_name=config.run_name, client=partition_id)
    if config.log_format == "json":
        use_json_lines("flwr", "fedmvp_core")
