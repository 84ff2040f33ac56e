"""What is handed to Flower reads back as it was, and its refusals become sentences."""

import stat
import tomllib

import pytest

from simulations.runner.errors import EngineError
from simulations.runner.flower import run_status, to_toml
from simulations.runner.project import default_config
from simulations.runner.superlink import SuperLink


def test_config_survives_toml():
    values = {
        **default_config(),
        "template": 'a "picture" of\na {class} \\ é 🦊',
        "weight-decay": 1e-05,
        "overwrite": False,
    }
    assert tomllib.loads(to_toml(values)) == values


def link_with(tmp_path, script: str) -> SuperLink:
    program = tmp_path / "flwr"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return SuperLink(tmp_path, {"PATH": f"{tmp_path}:/usr/bin:/bin"})


def test_status_is_read(tmp_path):
    answer = '{"success": true, "runs": [{"status": "finished:failed", "status-details": "why"}]}'
    status = run_status(link_with(tmp_path, f"echo '{answer}'"), "7")
    assert (status.status, status.details) == ("finished:failed", "why")


@pytest.mark.parametrize(
    "script",
    [
        """echo '{"success": false, "error-message": "no such run"}'""",
        "echo no such run >&2; exit 1",
    ],
)
def test_a_refusal_is_an_engine_error(tmp_path, script):
    with pytest.raises(EngineError, match="'flwr ls' failed: no such run"):
        run_status(link_with(tmp_path, script), "7")
