"""Where Flower and Ray put clients on 2 and 8 GPUs, which Ray is only told to have.

The app is not ours but the resources are: each of its clients writes down which devices it sees.
"""

from collections import Counter
from pathlib import Path

import pytest

from simulations.runner import flower, resources
from simulations.runner.resources import choose_resources
from simulations.runner.superlink import local_superlink

pytestmark = pytest.mark.slow

PROJECT = """
[project]
name = "seeing"
version = "1.0.0"
dependencies = ["flwr>=1.41"]
[tool.uv]
exclude-dependencies = ["flwr"]
[tool.flwr.app]
publisher = "fedmvp"
[tool.flwr.app.components]
serverapp = "seeing.server:app"
clientapp = "seeing.client:app"
[tool.flwr.app.config]
folder = ""
clients = 0
"""
# Flower loads the client's module before it counts the threads by which it speaks to its workers,
# which on a machine with 8 GPUs are 32.
CLIENT = """
import os, time
from pathlib import Path
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp

os.cpu_count = lambda: 64
app = ClientApp()

@app.query()
def query(message, context):
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    name = f"{context.node_config['partition-id']}-{os.getpid()}"
    (Path(context.run_config["folder"]) / name).write_text(seen)
    time.sleep(2)  # until every worker has one
    return Message(RecordDict(), reply_to=message)
"""
SERVER = """
import time
from pathlib import Path
from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()

@app.main()
def main(grid, context):
    while len(nodes := list(grid.get_node_ids())) < context.run_config["clients"]:
        time.sleep(0.1)
    asked = [Message(RecordDict(), dst_node_id=n, message_type=MessageType.QUERY) for n in nodes]
    replies = grid.send_and_receive(asked, timeout=300)
    words = [str(reply.error) if reply.has_error() else "" for reply in replies]
    (Path(context.run_config["folder"]) / "answers").write_text("".join(words) or str(len(words)))
"""


def devices_seen(folder: Path, clients: int, chosen: resources.Resources) -> dict[int, str]:
    """What each worker's process has in CUDA_VISIBLE_DEVICES, by its process id."""
    app, notes = folder / "seeing", folder / "notes"
    (app / "seeing").mkdir(parents=True)
    notes.mkdir()
    (app / "pyproject.toml").write_text(PROJECT)
    for name, code in (("__init__", ""), ("client", CLIENT), ("server", SERVER)):
        (app / "seeing" / f"{name}.py").write_text(code)
    with local_superlink(folder / "superlink.log") as link:
        words = ["--run-config", f"folder='{notes}' clients={clients}"]
        federation = ["--federation-config", chosen.federation_config(clients)]
        run = ["run", str(app), "simulation", "--format", "json", *words, *federation]
        run_id = str(flower.ask(link, *run)["run-id"])
        flower.follow_log(link, run_id, folder / "app.log").wait(timeout=400)
    said = (notes / "answers").read_text()
    assert said == str(clients), said
    return {int(n.name.split("-")[1]): n.read_text() for n in notes.iterdir() if "-" in n.name}


@pytest.mark.parametrize(
    ("gpus", "per_gpu", "clients", "workers"),
    [
        (2, 3, 6, {"0": 3, "1": 3}),
        (8, 4, 8, dict.fromkeys("01234567", 1)),  # one each, though four would fit on one
    ],
)
def test_every_gpu_has_its_share_of_clients(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    per_gpu: int,
    clients: int,
    workers: dict[str, int],
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(resources, "_present_gpus", lambda: gpus)
    monkeypatch.setattr(resources.os, "cpu_count", lambda: 64)
    chosen = choose_resources(clients, "auto", None, per_gpu)
    assert Counter(devices_seen(tmp_path, clients, chosen).values()) == workers
