"""What a local deployment refuses before it touches anything."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from simulations.deploy.local import run_deployment


def test_a_taken_port_or_no_node_leaves_an_earlier_run_alone(
    small_run: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = small_run(output_dir=str(tmp_path))
    earlier = tmp_path / config.run.run_name / "status.json"
    earlier.parent.mkdir()
    earlier.write_text("{}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 cannot be used"):
            run_deployment(config, 2, lambda event: None, port=port)
    with pytest.raises(ConfigError, match="nodes is 0"):
        run_deployment(config, 0, lambda event: None)
    assert earlier.exists()
