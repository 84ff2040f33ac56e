"""The entrypoints, run as the containers run them."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulations.deploy.certificates import make_certificates
from simulations.runner.superlink import free_port

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SCRIPTS = ("superlink.sh", "supernode.sh", "health.sh", "secrets.sh")


def run(script: str, *words: str, **values: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": os.environ.get("HOME", "/"), **values}
    command = ["/bin/sh", str(DOCKER / script), *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_plain_shell_and_executable(script: str) -> None:
    path = DOCKER / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\n")
    shell = shutil.which("dash") or "/bin/sh"
    assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0


def test_no_tls_must_be_meant() -> None:
    done = run("superlink.sh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "FEDMVP_TLS_DIR is empty" in done.stderr
    done = run("supernode.sh", FEDMVP_NODE_CONFIG="partition-id=0 num-partitions=1")
    assert done.returncode == 2
    assert "or set FEDMVP_INSECURE=1" in done.stderr


def test_a_node_must_say_what_it_holds() -> None:
    done = run("supernode.sh", FEDMVP_INSECURE="1")
    assert done.returncode != 0
    assert "say which shard this node holds" in done.stderr


def test_a_superlink_does_not_start_with_what_the_doctor_refuses(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        values = {"FEDMVP_HOST": "127.0.0.1", "FEDMVP_PORT": str(taken.getsockname()[1])}
        done = run("superlink.sh", FEDMVP_TLS_DIR=str(tmp_path), **values)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "ca.crt cannot be read" in " ".join(done.stderr.split())
    assert "Flower SuperLink" not in done.stderr


def test_health_is_no_health_where_nobody_answers(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["superlink"], days=1)
    done = run("health.sh", FEDMVP_PORT=str(free_port()), FEDMVP_TLS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


def test_secrets_are_made_once_and_lie_where_the_compose_files_look(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    done = run("secrets.sh", "superlink", "supernode-0", "site-b", FEDMVP_SECRETS=str(folder))
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        *(f"tls/{name}" for name in ("ca.crt", "ca.key", "server.crt", "server.key")),
        *(f"keys/{name}{end}" for name in ("supernode-0", "site-b") for end in ("", ".pub")),
        *(f"public/{name}.pub" for name in ("supernode-0", "site-b")),
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    again = run("secrets.sh", "superlink", "site-b", FEDMVP_SECRETS=str(folder))
    assert again.returncode != 0
    assert "exists; remove it" in again.stderr
    assert run("secrets.sh", "superlink").returncode == 2
