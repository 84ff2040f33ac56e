"""A federation of real processes: TLS, keys, the images' entrypoints, nodes that are refused."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from run_configs import SHORT
from safetensors.torch import load_file
from torchvision.io import write_png

from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.emoji.domains import load
from fedmvp_core.run_folder import ENDED, read_status
from simulations.deploy.certificates import make_certificates
from simulations.deploy.keys import make_keys
from simulations.deploy.local import start_nodes
from simulations.deploy.processes import LocalDeployment, local_deployment
from simulations.runner import flower
from simulations.runner.inline import run_inline
from simulations.runner.processes import end_processes_of
from simulations.runner.project import default_config, stage_app

pytestmark = pytest.mark.slow
NODES = 2
REFUSED = "Exit Code: 305"  # Flower's SUPERNODE_CONNECTION_ERROR; the process itself exits with 1


def words(tmp_path: Path, name: str, **changes: Any) -> dict[str, Any]:
    """Keys of a short run below tmp_path."""
    places = {"output-dir": str(tmp_path), "cache-dir": str(tmp_path / "cache"), "run-name": name}
    waits = {"device": "cpu", "robust-attack": "none", "evaluate-every": 2, "node-timeout": 300.0}
    return {**places, **SHORT, **waits, **changes}


def config(tmp_path: Path, name: str, **changes: Any) -> RunConfig:
    return parse_config({**default_config(), **words(tmp_path, name, **changes)})


def final_tensors(tmp_path: Path, name: str) -> dict[str, Any]:
    return load_file(tmp_path / name / "checkpoints" / "round-0002.safetensors")


def test_the_command_ends_with_the_tensors_of_a_simulation_and_takes_everything_down(
    tmp_path: Path,
) -> None:
    """With TLS and a key for each node."""
    command = [shutil.which("fedmvp", path=str(Path(sys.executable).parent)) or "fedmvp"]
    command += ["deploy", "local", "--nodes", str(NODES), "--no-report"]
    command += [f"{key}={value}" for key, value in words(tmp_path, "deployed").items()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"round 2/2  {NODES} clients" in done.stdout
    lines = (tmp_path / "deployed" / "progress.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["failed"] for event in events if event["event"] == "round"] == [0, 0]
    assert not [
        path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _text(path)
    ]
    logs = {path.name for path in (tmp_path / "deployed" / "logs").iterdir()}
    assert logs == {"superlink.log", *(f"supernode-{i}.log" for i in range(NODES))}
    outcome = run_inline(config(tmp_path, "simulated"), NODES, lambda event: None)
    assert outcome.status == "completed", outcome.error
    ours, theirs = final_tensors(tmp_path, "deployed"), final_tensors(tmp_path, "simulated")
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    before = load_file(tmp_path / "deployed" / "checkpoints" / "round-0000.safetensors")
    assert not all(ours[name].equal(before[name]) for name in ours)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[LocalDeployment]:
    logs = tmp_path / "logs"
    logs.mkdir()
    with local_deployment(logs) as running:
        yield running


def test_strangers_are_refused_and_the_run_goes_on(
    tmp_path: Path, deployment: LocalDeployment
) -> None:
    """Each stranger would be client 1, were it let in."""
    start_nodes(deployment, [f"partition-id={i} num-partitions=2" for i in range(2)], "cpu")
    nobody, known = make_keys(tmp_path / "strangers", ["nobody", "other"])
    make_certificates(tmp_path / "other-authority", ["127.0.0.1"], days=1)
    claim = "partition-id=1 num-partitions=2"
    unknown_key = deployment.add_node("unknown-key", claim, nobody)
    wrong = {"FEDMVP_TLS_DIR": str(tmp_path / "other-authority")}
    wrong_authority = deployment.add_node("wrong-authority", claim, known, **wrong)
    plain = {"FEDMVP_TLS_DIR": "", "FEDMVP_INSECURE": "1", "FEDMVP_KEY": ""}
    no_tls = deployment.add_node("no-tls", claim, **plain)
    strangers = (unknown_key, wrong_authority, no_tls)
    run = config(tmp_path, "guarded", rounds=1)
    flower.submit(deployment.link, stage_app(deployment.link.folder), run)
    status = wait_for_end(tmp_path / "guarded")
    assert status["status"] == "completed", status
    assert deployment.online() == 2
    for node in (unknown_key, wrong_authority):
        assert node.process.wait(60) == 1
        assert REFUSED in node.log.read_text()
    assert all("SuperNode ID" not in node.log.read_text() for node in strangers)
    assert "Failed to activate SuperNode" in unknown_key.log.read_text()
    assert "certificate verify failed" in wrong_authority.log.read_text()


def wait_for_end(folder: Path, seconds: float = 900) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and read_status(folder).get("status") not in ENDED:
        time.sleep(0.5)
    return read_status(folder)


def pictures(root: Path, classes: tuple[str, ...]) -> Path:
    """Five training pictures of each class, a folder a class."""
    wanted = config(root, "pictures")
    dataset = load(wanted.data, wanted.run, 64)
    for name in classes:
        held = dataset.train.of_classes((name,))
        folder = root / name.replace(" ", "_")
        folder.mkdir(parents=True)
        for i, image in enumerate(held.images[:5]):
            write_png(image, str(folder / f"{i}.png"))
    return root


def test_each_site_serves_its_own_folder_and_one_that_is_killed_is_taken_up_again(
    tmp_path: Path,
) -> None:
    wanted = config(tmp_path, "names")
    names = load(wanted.data, wanted.run, 64).class_names[:4]
    server = pictures(tmp_path / "server", names)
    sites = [pictures(tmp_path / "a", names[:2]), pictures(tmp_path / "b", names[1:])]
    run = config(
        tmp_path,
        "sites",
        dataset="imagefolder",
        **{"data-dir": str(server), "setting": "few-shot", "partition": "own", "clients": 2},
        # More than are needed: how many pass before the node is back depends on the machine.
        **{"rounds": 1000, "round-timeout": 120.0, "evaluate-every": 1000},
    )
    nodes = [
        f'partition-id=4 data-dir="{sites[0]}"',
        f'partition-id=9 data-dir="{sites[1]}" classes="{",".join(names[2:])}"',
    ]
    logs = tmp_path / "logs"
    logs.mkdir()
    with local_deployment(logs, tls=False) as running:
        start_nodes(running, nodes, "cpu")
        flower.submit(running.link, stage_app(running.link.folder), run)
        sites_run = tmp_path / "sites"
        wait_until(lambda: clients_of_rounds(sites_run)[:1] == [2])
        left = running.started[-1]
        end_tree(running, left.name)
        wait_until(lambda: clients_of_rounds(sites_run)[-1] == 1)
        running.add_node("back-again", nodes[1])
        wait_until(lambda: clients_of_rounds(sites_run)[-1] == 2)  # it trains again
    shards = json.loads((tmp_path / "sites" / "shards.json").read_text())
    assert [(shard["partition-id"], set(shard["classes"])) for shard in shards] == [
        (4, set(names[:2])),
        (9, set(names[2:])),
    ]


def clients_of_rounds(folder: Path) -> list[int]:
    progress = folder / "progress.jsonl"
    lines = progress.read_text().splitlines(keepends=True) if progress.exists() else []
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event["clients"] for event in events if event["event"] == "round"]


def wait_until(holds: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.2)


def end_tree(running: LocalDeployment, name: str) -> None:
    end_processes_of(running.link.folder / name)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
