"""A finished run, loaded again, predicts as its last evaluation did."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from federation_harness import metric_rows, run_federation, run_folder
from hypothesis import given
from hypothesis import strategies as st
from run_configs import defaults
from small_pictures import write_picture

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import CheckpointError, DataError
from simulations.runner.results import read_config
from simulations.runner.saved_run import SavedRun, load_saved_run
from simulations.runner.tuned_run import class_names_of, predict_pictures

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture
def config(small_run: Callable[..., RunConfig]) -> RunConfig:
    """A run whose learning rate is high enough for its rounds to differ."""
    config = small_run(rounds=2, learning_rate=0.05)
    run_federation(config, clients=2)
    return config


def pictures_of(saved: SavedRun, split: str) -> tuple[list[Path], torch.Tensor]:
    (evaluation,) = (e for e in saved.setting.evaluations if e.name == split)
    paths = [Path(saved.config.data.data_dir) / name for name in evaluation.images.names]
    return paths, evaluation.images.labels


@pytest.mark.parametrize("split", ["base", "new"])
def test_predictions_of_the_test_pictures_have_the_recorded_accuracy(
    config: RunConfig, split: str
) -> None:
    saved = load_saved_run(run_folder(config))
    assert saved.round == 2
    rows = {(n, s, m): value for n, s, m, value in metric_rows(config)}
    paths, labels = pictures_of(saved, split)
    for zero_shot, key in (
        (False, (2, split, "accuracy")),
        (True, (0, split, "zero-shot-accuracy")),
    ):
        names, probabilities = predict_pictures(saved, paths, split, zero_shot)
        assert names == class_names_of(saved, split)
        assert probabilities.shape == (len(paths), len(names))
        torch.testing.assert_close(probabilities.sum(-1), torch.ones(len(paths)))
        right = (probabilities.argmax(-1) == labels).double().mean()
        assert float(right) == pytest.approx(rows[key])


def test_any_picture_among_any_classes(config: RunConfig, tmp_path: Path) -> None:
    write_picture(tmp_path / "mine.jpg", 5, (90, 70))
    saved = load_saved_run(run_folder(config))
    names, probabilities = predict_pictures(saved, [tmp_path / "mine.jpg"], "zebra, ant")
    assert names == ("zebra", "ant")
    assert float(probabilities.sum()) == pytest.approx(1)
    everything, _ = predict_pictures(saved, [tmp_path / "mine.jpg"])
    assert everything == ("ant", "bee", "cow", "dog", "eel", "fox")


def test_an_earlier_round_can_be_chosen(config: RunConfig) -> None:
    first, last = (load_saved_run(run_folder(config), round=number) for number in (0, 2))
    assert (first.round, last.round) == (0, 2)
    paths, _ = pictures_of(last, "base")
    assert not torch.equal(
        predict_pictures(first, paths, "base")[1], predict_pictures(last, paths, "base")[1]
    )


def test_what_is_no_run_is_refused(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no run folder"):
        load_saved_run(tmp_path)
    with pytest.raises(CheckpointError, match=r"round-0009.safetensors' cannot be read"):
        load_saved_run(run_folder(config), round=9)
    for path in (run_folder(config) / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        load_saved_run(run_folder(config))


def test_another_methods_configuration_is_refused(config: RunConfig) -> None:
    path = run_folder(config) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prompt-length": 4, "lora-rank": 2}))
    with pytest.raises(CheckpointError, match="the configuration makes"):
        load_saved_run(run_folder(config))


def test_keys_that_are_younger_than_a_run_have_their_defaults(config: RunConfig) -> None:
    path = run_folder(config) / "config.json"
    saved = json.loads(path.read_text())
    for key in ("momentum", "min-clients"):
        del saved[key]
    path.write_text(json.dumps(saved))
    read = read_config(run_folder(config))
    assert (read.training.momentum, read.federation.min_clients) == (
        defaults()["momentum"],
        defaults()["min-clients"],
    )
    assert read.run.seed == config.run.seed


@given(text=st.one_of(st.text(max_size=40), json_values.map(json.dumps)))
def test_a_malformed_configuration_is_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(CheckpointError):
            read_config(Path(folder))


def test_a_file_that_is_no_picture_is_refused(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(DataError, match=r"words.png' cannot be read as a picture"):
        predict_pictures(load_saved_run(run_folder(config)), [tmp_path / "words.png"])
