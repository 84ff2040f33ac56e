"""Pictures that were moved, renamed or added to after a run: what is said, and what still works."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federation_harness import run_federation, run_folder
from small_pictures import write_folder, write_picture
from typer.testing import CliRunner

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.json_logs import logger as server_logger
from simulations import cli
from simulations.runner import dry_run
from simulations.runner.errors import OtherPicturesError
from simulations.runner.reporting import write_page
from simulations.runner.saved_run import load_saved_run
from simulations.runner.tuned_run import class_names_of, predict_pictures

CLASSES = ("ant", "bee", "cow", "dog")
NO_EXAMPLES = "Example predictions and attention maps are left out"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of the pictures and of the run made with them, filled by the first test."""
    folder = tmp_path_factory.mktemp("made")
    write_folder(folder / "pictures", CLASSES, 4, splits=("train", "test"))
    return {"pictures": folder / "pictures"}


class Finished:
    """A copy of a finished run and of its pictures, for one test to spoil."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.folder = run_folder(config)
        self.pictures = Path(config.data.data_dir)

    def resumed(self, **keys: Any) -> RunConfig:
        return self.config.with_values(resume="latest", **keys)

    def predicted(self, **keys: Any) -> torch.Tensor:
        """Probabilities of a picture of nobody's."""
        picture = write_picture_of(self.folder.parent / "mine.png")
        return predict_pictures(load_saved_run(self.folder, **keys), [picture])[1]


def write_picture_of(path: Path) -> Path:
    write_picture(path, 1000)
    return path


@pytest.fixture
def finished(
    made: dict[str, Path], small_run: Callable[..., RunConfig], tmp_path: Path
) -> Finished:
    pictures = shutil.copytree(made["pictures"], tmp_path / "pictures")
    config = small_run(
        data_dir=str(pictures), rounds=1, robust_attack="fgsm", robust_every=0, epsilon="1/255"
    )
    if "run" not in made:
        run_federation(config, clients=2)
        made["run"] = shutil.copytree(run_folder(config), made["pictures"].parent / "run")
    else:
        shutil.copytree(made["run"], run_folder(config))
        path = run_folder(config) / "config.json"
        path.write_text(json.dumps(config.as_mapping()))
    return Finished(config)


def moved(finished: Finished) -> Path:
    return shutil.move(finished.pictures, finished.pictures.with_name("elsewhere"))


def add(finished: Finished, place: str) -> None:
    write_picture(finished.pictures / place, 999)


def test_the_run_keeps_numbers_and_hashes(finished: Finished) -> None:
    text = (finished.folder / "splits.json").read_text()
    splits = json.loads(text)
    assert (splits["base"]["images"], splits["new"]["images"]) == (8, 8)
    assert list(splits["base"]["classes"]) == ["ant", "bee"]
    assert ".png" not in text
    assert str(finished.pictures) not in text


def test_nothing_is_said_while_nothing_changes(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_saved_run(finished.folder).changed == {}
    assert NO_EXAMPLES not in write_page(finished.folder).read_text()
    assert caplog.messages == []


# --- moved


def test_moved_pictures_are_missed_by_name_and_found_by_data_dir(finished: Finished) -> None:
    before = finished.predicted()
    place = moved(finished)
    with pytest.raises(OtherPicturesError, match=r"no such folder; .* --data-dir DIR"):
        finished.predicted()
    assert torch.equal(finished.predicted(data_dir=place), before)


def test_a_report_without_its_pictures_has_its_numbers(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    place = moved(finished)
    assert NO_EXAMPLES in write_page(finished.folder).read_text()
    assert "no example pictures" in caplog.text
    assert "--data-dir DIR" in caplog.text
    assert NO_EXAMPLES not in write_page(finished.folder, place).read_text()


def test_commands_take_the_new_place(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    place = moved(finished)
    monkeypatch.chdir(place.parent)
    picture = write_picture_of(place.parent / "mine.png")
    attack = ["attack", str(finished.folder), "--attack", "fgsm", "--images", "2"]
    for words in (["predict", str(finished.folder), str(picture)], attack):
        missed = CliRunner().invoke(cli.app, words)
        assert missed.exit_code == 1
        assert "--data-dir DIR" in missed.output
        found = CliRunner().invoke(cli.app, [*words, "--data-dir", "elsewhere"])
        assert found.exit_code == 0, found.output
    wrong = CliRunner().invoke(cli.app, [*attack, "--data-dir", "nowhere"])
    assert wrong.exit_code == 1
    assert "nowhere'; there is no such folder" in wrong.output
    assert CliRunner().invoke(cli.app, ["report", str(finished.folder)]).exit_code == 0


def test_a_run_goes_on_with_moved_pictures_and_notes_their_place(finished: Finished) -> None:
    place = moved(finished)
    longer = finished.resumed(data_dir=str(place))
    run_federation(longer, clients=2)
    saved = json.loads((finished.folder / "config.json").read_text())
    assert saved["data-dir"] == str(place)
    assert load_saved_run(finished.folder).changed == {}


# --- changed


def test_a_picture_more_to_train_on_changes_no_answer(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    before = finished.predicted()
    add(finished, "train/ant/more.png")
    saved = load_saved_run(finished.folder)
    assert "had" in saved.changed["train"] + saved.changed.get("validation", "")
    assert torch.equal(finished.predicted(), before)
    assert NO_EXAMPLES not in write_page(finished.folder).read_text()
    words = ["attack", str(finished.folder), "--attack", "fgsm", "--images", "2"]
    assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert "what is attacked is the same" in caplog.text


def spoil_more(finished: Finished) -> None:
    add(finished, "test/ant/more.png")


def spoil_gone(finished: Finished) -> None:
    (finished.pictures / "test/ant/00.png").unlink()


def spoil_renamed(finished: Finished) -> None:
    (finished.pictures / "test/ant/00.png").rename(finished.pictures / "test/ant/99.png")


def spoil_relabelled(finished: Finished) -> None:
    (finished.pictures / "test/ant/00.png").rename(finished.pictures / "test/bee/99.png")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_more, "split 'base' has 9 pictures, had 8, pictures of ant 5, had 4"),
        (spoil_gone, "split 'base' has 7 pictures, had 8, pictures of ant 3, had 4"),
        (spoil_renamed, "split 'base' pictures with other names or labels in ant"),
        (spoil_relabelled, "split 'base' pictures of ant 3, had 4, bee 5, had 4"),
    ],
)
def test_other_test_pictures_are_not_attacked_nor_shown(
    finished: Finished,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Finished], None],
    said: str,
) -> None:
    spoil(finished)
    words = ["attack", str(finished.folder), "--attack", "fgsm", "--images", "2"]
    refused = CliRunner().invoke(cli.app, words)
    assert refused.exit_code == 1
    assert said in refused.output
    assert not (finished.folder / "attacks").exists()
    assert CliRunner().invoke(cli.app, [*words, "--split", "new"]).exit_code == 0
    caplog.clear()
    assert NO_EXAMPLES in write_page(finished.folder).read_text()
    assert said in caplog.text
    assert finished.predicted().shape == (1, len(CLASSES))
    with pytest.raises(ConfigError, match="are not those that the run"):
        run_federation(finished.resumed(), clients=2)


def test_a_class_more_leaves_the_runs_classes(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    before = finished.predicted()
    for split in ("train", "test"):
        for number in range(4):
            add(finished, f"{split}/asp/{number}.png")  # in the middle of the order
    saved = load_saved_run(finished.folder)
    assert "1 class more (asp)" in saved.changed["base"]
    assert class_names_of(saved, "base") == ("ant", "bee")
    assert class_names_of(saved, "all") == CLASSES
    assert torch.equal(finished.predicted(), before)
    picture = write_picture_of(finished.folder.parent / "mine.png")
    result = CliRunner().invoke(cli.app, ["predict", str(finished.folder), str(picture)])
    assert result.exit_code == 0
    assert "asp" not in result.stdout
    assert "the classes are the run's" in caplog.text
    with pytest.raises(ConfigError, match="1 class more"):
        dry_run.look(finished.resumed(), 2)


def test_a_class_that_is_gone_is_named(
    finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    for split in ("train", "test"):
        shutil.rmtree(finished.pictures / split / "cow")
    with pytest.raises(OtherPicturesError, match=r"gone \(.*cow.*--data-dir DIR"):
        load_saved_run(finished.folder)
    assert NO_EXAMPLES in write_page(finished.folder).read_text()
    assert "cow" in caplog.text


def test_dry_run_of_a_run_that_goes_on(finished: Finished) -> None:
    dry_run.look(finished.resumed(), 2)
    spoil_renamed(finished)
    with pytest.raises(ConfigError, match=r"resume is latest, .* split 'base'"):
        dry_run.look(finished.resumed(), 2)


# --- older runs


@pytest.mark.parametrize("left", [None, "", "{", "[]"])
def test_a_run_without_fingerprints_goes_on_and_it_is_said(
    finished: Finished, caplog: pytest.LogCaptureFixture, left: str | None
) -> None:
    path = finished.folder / "splits.json"
    path.unlink()
    if left is not None:
        path.write_text(left)
    assert finished.predicted().shape == (1, len(CLASSES))
    (said,) = caplog.messages
    assert "kept no fingerprint of its splits" in said
    caplog.clear()
    server_logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        run_federation(finished.resumed(), clients=2)
    server_logger.removeHandler(caplog.handler)
    assert sum("kept no fingerprint" in message for message in caplog.messages) >= 1
    caplog.clear()
    assert load_saved_run(finished.folder).changed == {}
    assert caplog.messages == []


def test_a_run_without_fingerprints_does_not_go_on_elsewhere(finished: Finished) -> None:
    (finished.folder / "splits.json").unlink()
    place = moved(finished)
    with pytest.raises(ConfigError, match="another configuration: data-dir"):
        run_federation(finished.resumed(data_dir=str(place)), clients=2)
