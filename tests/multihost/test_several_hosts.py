"""One run on five hosts, each with an address of its own, over a line that is slow and fails.

Every message takes 100 ms each way and 1 % of the frames are lost, from the first to the last.
One node's cable is pulled in the middle of a round and put back; then it is pulled for longer than
the round, while another node is killed for good; a fourth comes when the run has begun.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from network_hosts import Network, several_hosts, why_no_hosts

from fedmvp_core.run_folder import read_status
from simulations.deploy.certificates import make_certificates
from simulations.deploy.entrypoints import SUPERLINK, SUPERNODE, docker_folder
from simulations.deploy.keys import make_keys
from simulations.runner.environment import clean_environment
from simulations.runner.processes import end_processes_of, processes_of
from simulations.runner.watchdog import watched

pytestmark = pytest.mark.multihost
NODES, ROUNDS, RUN = 4, 6, "several-hosts"
CUT, KILLED, STEADY, LATE = range(NODES)  # partition ids
PORT, RUNTIME_PORT = "52600", "52610"
CUT_SECONDS = 8.0  # longer than the 5 s after which Flower gives a request up
PATIENCE = 900.0  # seconds, of a busy machine


class Federation:
    """The hosts' processes, and what they have said."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.folder, self.network = folder, network
        self.address = f"{network.addresses['superlink']}:{PORT}"
        self.link = ("--superlink", self.address, "--tls-dir", str(folder / "tls"))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, host: str, name: str, *words: str, **values: str) -> "subprocess.Popen[bytes]":
        """Run a command on a host, in a folder and with a Flower home of its own."""
        home = self.folder / name
        home.mkdir()
        with self.log(name).open("ab") as stream:
            process = subprocess.Popen(
                self.network.command(host, *words),
                cwd=home,
                env={**clean_environment(home), **values},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_entrypoint(self, host: str, script: str, **values: str) -> None:
        """Start what a container of that host would."""
        values |= {"FEDMVP_TLS_DIR": str(self.folder / "tls"), "FEDMVP_DOCTOR": "0"}
        self.start(host, host, "/bin/sh", str(docker_folder() / script), **values)

    def start_node(self, partition_id: int) -> None:
        """Start the SuperNode of a shard."""
        self.start_entrypoint(
            node(partition_id),
            SUPERNODE,
            FEDMVP_SUPERLINK=self.address,
            FEDMVP_NODE_CONFIG=f"partition-id={partition_id} num-partitions={NODES}",
            FEDMVP_KEY=str(self.folder / "keys" / node(partition_id)),
            FEDMVP_RUNTIME_PORT=RUNTIME_PORT,
        )

    def answers(self) -> bool:
        """Whether the SuperLink does, to a node."""
        words = ("health", self.address, "--tls-dir", str(self.folder / "tls"))
        command = self.network.command(node(STEADY), "fedmvp", "deploy", *words)
        environment = clean_environment(self.folder)
        return subprocess.run(command, env=environment, capture_output=True).returncode == 0

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def said(self, name: str, words: str) -> int:
        """How often its log has these words."""
        return self.log(name).read_text(errors="replace").count(words)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the run has told of this kind, in order."""
        path = self.folder / "runs" / RUN / "progress.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for line in lines if (event := json.loads(line))["event"] == kind]


def node(partition_id: int) -> str:
    return f"node-{partition_id}"


def wait_until(happened: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.3)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """A SuperLink that answers and knows the keys of all nodes; everything ends with the test."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    hosts = ["superlink", *map(node, range(NODES))]
    with several_hosts(hosts, delay_ms=100, loss_percent=1) as network, watched(tmp_path):
        running = Federation(tmp_path, network)
        try:
            make_certificates(tmp_path / "tls", [network.addresses["superlink"]], days=1)
            keys = make_keys(tmp_path / "keys", list(map(node, range(NODES))))
            running.start_entrypoint("superlink", SUPERLINK, FEDMVP_PORT=PORT)
            wait_until(running.answers, "an answer of the SuperLink")
            public = [f"{key}.pub" for key in keys]
            words = ("fedmvp", "deploy", "register", *running.link, *public)
            registering = running.start("superlink", "register", *words)
            assert registering.wait(PATIENCE) == 0, running.log("register").read_text()
            yield running
        finally:
            end_processes_of(tmp_path)
            for process in running.processes:
                process.wait()


def seconds_of_a_client_process() -> float:
    """How long this machine needs, now, to start what a node starts for every message."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import flwr.clientapp, client_app.app"], check=True)
    return time.monotonic() - started


def connection_seconds(network: Network, host: str) -> float:
    """The shortest of three times that a host needs for a connection to the SuperLink."""
    script = (
        "import socket, time\nfor _ in range(3):\n    started = time.monotonic()\n"
        f"    socket.create_connection(('{network.addresses['superlink']}', {PORT})).close()\n"
        "    print(time.monotonic() - started)"
    )
    command = network.command(host, sys.executable, "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return min(map(float, done.stdout.split()))


def took_part(folder: Path) -> dict[int, set[int]]:
    """Partition ids of the clients whose updates counted, by round, as metrics.csv has them."""
    found: dict[int, set[int]] = {}
    with (folder / "metrics.csv").open() as stream:
        for row in csv.DictReader(stream):
            if row["metric"] == "bytes-up" and row["split"].startswith("client-"):
                found.setdefault(int(row["round"]), set()).add(int(row["split"][7:]))
    return found


def test_a_run_outlasts_slow_lines_cut_cables_and_a_node_that_is_gone(
    federation: Federation,
) -> None:
    network, folder = federation.network, federation.folder
    assert connection_seconds(network, node(STEADY)) >= 0.2, "100 ms each way"
    pace = seconds_of_a_client_process()
    for partition_id in (CUT, KILLED, STEADY):
        federation.start_node(partition_id)
    for partition_id in (CUT, KILLED, STEADY):
        wait_until(
            lambda i=partition_id: federation.said(node(i), "SuperNode ID") == 1,
            f"{node(partition_id)} online",
        )
    words = [
        "dataset=emojidomains",
        f"rounds={ROUNDS}",
        f"evaluate-every={ROUNDS}",
        "method=paft",
        "attack-steps=1",
    ]
    words += ["shots=1", "local-epochs=1", "robust-attack=none", "device=cpu", f"run-name={RUN}"]
    words += [f"output-dir={folder / 'runs'}", f"cache-dir={folder / 'cache'}", "start-clients=3"]
    words += [f"node-timeout={40 + 5 * pace:.0f}", f"round-timeout={20 + 8 * pace:.0f}"]
    submit = ("fedmvp", "deploy", "submit", *federation.link, "demo", *words)
    submitted = federation.start("superlink", "submit", *submit)

    def trained(number: int) -> bool:
        assert submitted.poll() is None, federation.log("submit").read_text()[-3000:]
        return len(federation.events("round")) >= number

    def asked(partition_id: int, number: int) -> bool:
        trained(0)
        return federation.said(node(partition_id), "Receiving: train message") >= number

    wait_until(lambda: trained(1), "the first round")
    federation.start_node(LATE)
    wait_until(lambda: asked(CUT, 2), "the second round at the node whose cable is pulled")
    network.cut(node(CUT))
    time.sleep(CUT_SECONDS)
    network.restore(node(CUT))
    wait_until(lambda: asked(CUT, 3) and asked(KILLED, 3), "the third round at two nodes")
    network.cut(node(CUT))
    for process_id in processes_of(folder / node(KILLED)):
        os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: trained(3), "the third round")
    network.restore(node(CUT))

    assert submitted.wait(PATIENCE) == 0, federation.log("submit").read_text()[-3000:]
    run = folder / "runs" / RUN
    assert read_status(run)["status"] == "completed"
    rounds = federation.events("round")
    counted = took_part(run)
    seen = [(r["round"], sorted(counted[r["round"]]), round(r["seconds"], 1)) for r in rounds]
    print(f"{network.slowed_by}; a client process starts in {pace:.1f} s; {seen}")
    assert [event["round"] for event in rounds] == list(range(1, ROUNDS + 1)) == sorted(counted)
    assert counted[1] == {CUT, KILLED, STEADY}
    assert counted[2] >= {CUT, KILLED, STEADY}, "the cable was put back in time"
    assert rounds[1]["failed"] == 0
    assert counted[3] - {LATE} == {STEADY}
    assert rounds[2]["failed"] == 2
    assert counted[ROUNDS] == {CUT, STEADY, LATE}
    assert all(event["clients"] == len(counted[event["round"]]) for event in rounds)
    assert all(event["refused-replies"] == 0 for event in rounds)
    assert [shard["partition-id"] for shard in json.loads((run / "shards.json").read_text())] == [
        CUT,
        KILLED,
        STEADY,
        LATE,
    ]
