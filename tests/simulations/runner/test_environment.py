"""The SuperLink's environment keeps what the user set and drops what is foreign."""

import os
import sys
from pathlib import Path

from simulations.runner.environment import clean_environment


def test_foreign_settings_are_dropped_and_others_kept(tmp_path):
    base = {
        "PATH": "/usr/bin",
        "HOME": "/home/someone",
        "CUDA_VISIBLE_DEVICES": "1",
        "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": "39091",
        "FLWR_HOME": "/home/someone/.flwr",
        "RAY_ADDRESS": "10.0.0.1:6379",
        "RAY_JOB_ID": "01000000",
        "RAY_memory_usage_threshold": "0.9",
        "PYTHONPATH": "/another/project",
        "OMP_NUM_THREADS": "64",
        "NO_PROXY": "example.org",
    }
    made = clean_environment(tmp_path, base)
    assert made["HOME"] == "/home/someone"
    assert made["CUDA_VISIBLE_DEVICES"] == "1"
    assert made["FLWR_HOME"] == str(tmp_path / "flwr")
    assert made["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert made["RAY_memory_usage_threshold"] == "0.9"
    for name in ("FLWR_LOCAL_SUPERLINK_HTTP_API_PORT", "RAY_ADDRESS", "RAY_JOB_ID", "PYTHONPATH"):
        assert name not in made
    assert "OMP_NUM_THREADS" not in made


def test_of_rays_variables_a_run_that_joins_a_cluster_loses_only_the_other_jobs(tmp_path):
    base = {
        "RAY_ADDRESS": "auto",
        "RAY_JOB_ID": "01000000",
        "RAY_USE_TLS": "1",
        "RAY_AUTH_MODE": "x",
    }
    made = clean_environment(tmp_path, base, ray_address="10.0.0.1:6379")
    assert made["RAY_ADDRESS"] == "10.0.0.1:6379"
    assert (made["RAY_USE_TLS"], made["RAY_AUTH_MODE"]) == ("1", "x")
    assert "RAY_JOB_ID" not in made
    assert "RAY_TMPDIR" not in made  # the cluster has its own


def test_the_programs_of_this_python_come_first(tmp_path):
    path = clean_environment(tmp_path, {"PATH": "/usr/bin"})["PATH"].split(os.pathsep)
    assert path[0] == str(Path(sys.executable).parent)
    assert path[-1] == "/usr/bin"
