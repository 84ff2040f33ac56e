"""A full disk ends a run with one clear sentence, and costs no finished round."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from federation_harness import final_tensors, run_federation, run_folder
from flwr.app import Message, MessageType

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import StorageError
from server_app.records.checkpoints import latest_round

Make = Callable[..., RunConfig]
CLIENTS, ROUNDS = 1, 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB in memory; only root may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path, left: int) -> None:
    """Write a file that leaves so many bytes free."""
    path.write_bytes(bytes(shutil.disk_usage(path.parent).free - left))


def test_a_full_disk(small_run: Make, small_disk: Path) -> None:
    config = small_run(rounds=ROUNDS, shots=2, local_epochs=1, evaluate_every=1)
    run_federation(config, CLIENTS)
    one = (run_folder(config) / "checkpoints" / "round-0001.safetensors").stat().st_size
    undisturbed = final_tensors(config)

    config = config.with_values(output_dir=str(small_disk), run_name="full")
    other = small_disk / "other"

    def fill_in_round_1(message: Message, partition_id: int) -> None:
        if message.metadata.message_type == MessageType.TRAIN and not other.exists():
            fill(other, left=one + one // 2)  # round 1 has room

    with pytest.raises(StorageError, match="no space is left for the run folder") as caught:
        run_federation(config, CLIENTS, intercept=fill_in_round_1)
    folder = run_folder(config)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert "its checkpoint of round 1 is whole" in sentence
    assert latest_round(folder / "checkpoints") == 1
    status = json.loads((folder / "status.json").read_text())
    assert (status["status"], status["rounds-completed"]) == ("failed", 1)
    assert status["error"] == sentence

    other.unlink()
    run_federation(config.with_values(resume="latest"), CLIENTS)
    found = final_tensors(config)
    assert all(torch.equal(found[name], value) for name, value in undisturbed.items())
