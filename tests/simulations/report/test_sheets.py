"""The report's pictures as files, and in TensorBoard, as its own reader finds them there."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from light_environment import light_environment
from PIL import Image

from fedmvp_core.run_folder import read_object, remove_run
from simulations.runner.reporting import write_page

# A small federation under attack on Ray, whose tests take a second.
QUICK = (
    "run-name=logged rounds=1 shots=2 batch-size=8 pretrained= dataset=imagefolder "
    "setting=few-shot partition=iid robust-attack=pgd robust-steps=1 attack-steps=1 "
    "robust-last-images=4 robust-images=4 log-to=tensorboard"
)


def tensorboard(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    limits = {"scalars": 0, "images": 0, "tensors": 0}
    read = EventAccumulator(str(folder / "loggers" / "tensorboard"), limits)
    read.Reload()
    return read


def logged(folder: Path) -> dict[str, list[tuple[int, tuple[int, int]]]]:
    """Name -> (round, size) of every picture."""
    read = tensorboard(folder)
    return {
        tag: [
            (each.step, Image.open(io.BytesIO(each.encoded_image_string)).size)
            for each in read.Images(tag)
        ]
        for tag in read.Tags()["images"]
    }


def test_the_report_leaves_its_pictures_and_gives_them_to_loggers_once(
    attacked_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "attacked"
    shutil.copytree(attacked_run, folder)
    config = read_object(folder / "config.json")
    (folder / "config.json").write_text(json.dumps({**config, "log-to": "tensorboard,wandb"}))
    (folder / "loggers").mkdir()
    # wandb never had this run, so that it has no run to give the pictures to.
    state = folder / "loggers" / "tensorboard.json"
    state.write_text('{"id": "attacked", "rows": 7}')
    write_page(folder)
    sizes = {path.stem: Image.open(path).size for path in (folder / "pictures").iterdir()}
    assert sorted(sizes) == ["attacked", "attention"]
    assert min(min(size) for size in sizes.values()) > 300
    assert logged(folder) == {name: [(2, size)] for name, size in sizes.items()}
    assert read_object(state)["id"] == "attacked"
    assert read_object(state)["rows"] == 7
    write_page(folder)
    assert logged(folder) == {name: [(2, size)] for name, size in sizes.items()}
    remove_run(folder)
    assert not (folder / "pictures").exists()


@pytest.mark.slow
def test_the_commands_run_is_logged_with_its_pictures(tmp_path: Path, picture_folder: Path) -> None:
    commands = light_environment(tmp_path / "venv")
    places = [f"data-dir={picture_folder}", f"output-dir={tmp_path}", f"cache-dir={tmp_path / 'c'}"]
    command = [commands / "fedmvp", "run", *QUICK.split(), *places, "--supernodes", "2"]
    done = subprocess.run(
        [*command, "--engine", "inline"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "logged"
    scalars = {
        tag: tensorboard(folder).Scalars(tag) for tag in tensorboard(folder).Tags()["scalars"]
    }
    for tag in ("train/loss", "client-001/train-loss", "all/accuracy"):
        assert [each.step for each in scalars[tag]].count(1) == 1, tag
    assert {name: [round for round, _ in found] for name, found in logged(folder).items()} == {
        "attacked": [1],
        "attention": [1],
    }
