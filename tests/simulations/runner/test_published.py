"""protocol=published among defaults, a run's file and the command line."""

import logging
from pathlib import Path

import pytest

from simulations.runner.named_runs import NamedRun, load_named_run, resolve_config

FILE = {"method": "fedmvp", "rounds": 7, "batch-size": 16, "objective.alpha": 5.0}


def run(**config: object) -> NamedRun:
    return NamedRun("mine", "", 0, {**FILE, **config})  # type: ignore[arg-type]


def test_ours_is_the_default_and_sets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    config = resolve_config(run(), {})
    assert (config.model.protocol, config.training.learning_rate) == ("ours", 0.3)
    assert not caplog.records


def test_a_later_place_than_the_protocol_s_wins(caplog: pytest.LogCaptureFixture) -> None:
    """Named on the command line, it takes the place of the file's values."""
    config = resolve_config(run(), {"protocol": "published", "learning-rate": 0.01})
    assert (config.federation.rounds, config.training.batch_size) == (100, 128)
    assert config.model.objective_options == "alpha=10.0"
    assert config.training.learning_rate == 0.01
    assert [record.getMessage() for record in caplog.records] == [
        "protocol is 'published', but learning-rate is 0.01, published: 0.003"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_what_stands_beside_it_in_a_file_wins(caplog: pytest.LogCaptureFixture) -> None:
    config = resolve_config(run(protocol="published"), {})
    assert (config.federation.rounds, config.training.batch_size) == (7, 16)
    assert (config.training.learning_rate, config.data.shots) == (0.003, 8)
    for said in ("rounds is 7", "batch-size is 16", "objective.alpha is 5"):
        assert f"protocol is 'published', but {said}, published: " in caplog.text
    assert len(caplog.records) == 3


def test_the_command_line_may_take_it_back() -> None:
    config = resolve_config(run(protocol="published"), {"protocol": "ours"})
    assert (config.training.learning_rate, config.data.shots) == (0.3, 0)


@pytest.mark.parametrize("key", ["alpha", "objective.alpha", "objective-options"])
def test_an_option_wins_in_every_spelling(key: str) -> None:
    value = "alpha=2" if key == "objective-options" else 2.0
    config = resolve_config(run(), {"protocol": "published", key: value})
    assert config.model.objective_options == "alpha=2.0"


def test_a_method_without_public_values_says_so(caplog: pytest.LogCaptureFixture) -> None:
    config = resolve_config(load_named_run("demo"), {"method": "capt", "protocol": "published"})
    assert config.training.learning_rate == 0.3
    assert "no value of method 'capt' is public: nothing is set" in caplog.text


def test_a_saved_file_repeats_the_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[config]\nmethod = "apt"\nprotocol = "published"\nrounds = 3\n')
    config = resolve_config(load_named_run(str(file)), {})
    assert (config.federation.rounds, config.training.warmup_rounds) == (3, 1)
