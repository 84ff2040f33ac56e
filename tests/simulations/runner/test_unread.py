"""Keys that are written and that nothing reads."""

from pathlib import Path
from typing import Any

import pytest
from run_configs import run_config

from simulations.runner.named_runs import load_named_run, resolve_config
from simulations.runner.unread import GATES, unread

DEMO = load_named_run("demo")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"method": "capt", "beta": 100.0}, "beta is 100.0, which objective 'capt' does not read"),
        ({"method": "capt", "beta": 6.0}, "beta is written, but not read by objective 'capt'"),
        ({"method": "hep", "alpha": 3.0}, "not read by method 'hep', which has no objective"),
        ({"method": "capt", "lora-rank": 8}, "lora-rank is written, but not read by method 'capt'"),
        ({"method": "fedmvp", "attack-steps": 5}, "which trains on no attacked image"),
        ({"method": "zs-clip", "learning-rate": 1.0}, "which trains nothing"),
        ({"method": "apt", "attribute-weight": 0.5}, "which reads the plain template alone"),
        ({"warmup-rate": 0.1}, "with warmup-rounds=0"),
        ({"cached-views": 4}, "with augmentation=none"),
        ({"method": "hep", "augmentation": "crops"}, "which trains nothing"),
        ({"keep-momentum": True, "momentum": 0.0}, "with momentum=0"),
        ({"robust-attack": "none", "robust-steps": 5}, "with robust-attack=none"),
        (
            {"method": "fedmvp", "robust-attack": "none", "epsilon": "1/255"},
            "epsilon is written, but not read by method 'fedmvp', which looks at no attacked image",
        ),
    ],
)
def test_a_key_that_nobody_reads_is_named(
    written: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    resolve_config(DEMO, written)
    assert said in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "written",
    [
        {"method": "capt", "attack-steps": 5, "alpha-cons": "constant"},
        {"method": "fedmvp", "objective": "trades", "attack-steps": 5, "epsilon": "1/255"},
        {"method": "fedmvp", "epsilon": "1/255", "attribute-weight": 0.5},
        {"warmup-rate": 0.1, "warmup-rounds": 1},
        {"augmentation": "crops", "cached-views": 4},
        {"method": "zs-clip", "rounds": 0, "robust-steps": 5},
        {"seed": 3},
    ],
)
def test_keys_that_are_read_are_not(
    written: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    resolve_config(DEMO, written)
    assert "not read by" not in caplog.text


def test_keys_of_a_user_s_file_are_looked_at_and_shipped_ones_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    resolve_config(load_named_run("demo-short"), {"robust-attack": "none"})
    assert not caplog.records
    file = tmp_path / "mine.toml"
    file.write_text('[config]\nmethod = "fedmvp"\nattack-steps = 5\n')
    resolve_config(load_named_run(str(file)), {})
    assert "attack-steps is written, but not read by method 'fedmvp'" in caplog.text


def test_gates_are_of_keys_that_there_are() -> None:
    known = run_config().as_mapping()
    assert {key for gate in GATES for key in gate.keys} <= set(known)
    assert unread({}, run_config()) == []
