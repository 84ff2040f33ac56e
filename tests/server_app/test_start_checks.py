"""What a run would fail on at its end, or after a round, is said before it starts."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from federation_harness import run_federation, run_folder
from run_configs import run_config
from typer.testing import CliRunner

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, FedMVPError
from server_app.start_checks import check_counts, check_room, check_start
from simulations import cli

Make = Callable[..., RunConfig]
real_find_spec = importlib.util.find_spec


@pytest.mark.parametrize(
    ("keys", "clients", "sentence"),
    [
        ({"min_clients": 5}, 2, r"min-clients is 5, but there are 2 clients; allowed: up to 2"),
        (
            {"min_clients": 3, "fraction_train": 0.5},
            4,
            r"min-clients is 3, but there are 4 clients, and fraction-train 0.5 asks 2 of them a "
            r"round; allowed: up to 2",
        ),
        ({"min_clients": 2, "fraction_train": 0.01}, 50, r"asks 1 of them a round"),
        ({"start_clients": 9}, 2, r"start-clients is 9, but there are 2 clients; allowed: up to 2"),
        ({"aggregation": "krum"}, 2, r"aggregation is 'krum', which needs \d clients a round"),
        ({"aggregation": "multikrum", "fraction_train": 0.3}, 6, r"but a round has 2"),
    ],
)
def test_counts_that_cannot_be(keys: dict[str, object], clients: int, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_counts(run_config(**keys), clients)
    with pytest.raises(ConfigError, match=sentence):
        check_start(run_config(**keys), clients)


@pytest.mark.parametrize(
    ("keys", "clients"),
    [
        ({"min_clients": 2}, 2),
        ({"min_clients": 2, "fraction_train": 0.5}, 4),
        ({"start_clients": 2}, 2),
        ({"aggregation": "krum"}, 9),
        ({"min_clients": 9, "rounds": 0}, 2),  # nobody is asked
        ({"min_clients": 9, "method": "zs-clip"}, 2),
    ],
)
def test_counts_that_can(keys: dict[str, object], clients: int) -> None:
    check_counts(run_config(**keys), clients)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["min-clients=5"], "min-clients is 5, but there are 2 clients"),
        (["fraction-train=0.5", "min-clients=2"], "fraction-train 0.5 asks 1 of them a round"),
        (["aggregation=krum"], "aggregation is 'krum', which needs"),
        (["robust-attack=autoattack"], "needs the package pyautoattack: pip install"),
        (["callbacks=prometheus", "callback-options=other.x=1"], "callback-options hold 'other.x'"),
        (
            ["method.average-over=all", "privacy=central", "max-dp-epsilon=0.01"],
            "max-dp-epsilon is 0.01, but one round with noise-multiplier",
        ),
    ],
)
def test_the_command_line_says_it_before_it_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
    dry: list[str],
) -> None:
    if "max-dp-epsilon=0.01" in words:
        pytest.importorskip("dp_accounting")
    monkeypatch.setattr(importlib.util, "find_spec", without("pyautoattack"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, ["run", "demo", *words, "--supernodes", "2", *dry])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def without(package: str) -> Callable[..., object]:
    """find_spec where a package is not installed."""
    return lambda name, *more: None if name == package else real_find_spec(name, *more)


def with_package(package: str) -> Callable[..., object]:
    """find_spec where a package is installed."""
    return lambda name, *more: object() if name == package else real_find_spec(name, *more)


def test_the_accountant_is_asked_for_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    from fedmvp_core.privacy import accountant

    for cached in vars(accountant).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    with pytest.raises(ConfigError, match="dp-accounting"):
        check_start(run_config(privacy="central", noise_multiplier=0.7654321), 3)
    for cached in vars(accountant).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def test_the_server_says_it_where_nobody_else_has(small_run: Make) -> None:
    """`flwr run` and deployments: nothing has looked before."""
    for keys, sentence in (
        ({"min_clients": 5}, "min-clients is 5, but there are 2 clients"),
        ({"robust_attack": "autoattack"}, "which needs the package pyautoattack"),
    ):
        if importlib.util.find_spec("pyautoattack") and "robust_attack" in keys:
            continue
        config = small_run(**keys)
        with pytest.raises(ConfigError, match=sentence):
            run_federation(config, 2)
        assert not list((run_folder(config) / "checkpoints").iterdir())


def test_autoattack_needs_classes(small_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", with_package("pyautoattack"))
    config = small_run(robust_attack="autoattack", setting="base-to-new")  # 3 and 3 classes
    sentence = r"'autoattack', which needs 4 classes, but split 'base' has 3; allowed with it: ens"
    with pytest.raises(ConfigError, match=sentence):
        run_federation(config, 2)
    assert not list((run_folder(config) / "checkpoints").iterdir())


def test_autoattack_knows_no_several_labels(
    small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulations.runner.dry_run import look

    monkeypatch.setattr(importlib.util, "find_spec", with_package("pyautoattack"))
    config = small_run(
        robust_attack="autoattack",
        dataset="emojiscenes",
        setting="multi-label",
        partition="iid",
        shots=0,
        data_dir="",
    )
    with pytest.raises(ConfigError, match=r"images of split '.*' have several labels"):
        look(config, 2)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"max_examples": 1}, "max-examples is 1, but only 0 of 2 clients hold so few images"),
        ({"metrics": "accuracy"}, "a plugin measures .*accuracy.*, which is measured already"),
    ],
)
def test_what_the_first_round_would_end_with(
    small_run: Make, keys: dict[str, object], sentence: str
) -> None:
    from simulations.runner.dry_run import look

    config = small_run(decode_cache=False, **keys)
    with pytest.raises(FedMVPError, match=sentence):
        look(config, 2)
    with pytest.raises(FedMVPError, match=sentence):
        run_federation(config, 2)
    assert not list((run_folder(config) / "checkpoints").iterdir())


def test_room_for_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = run_config(output_dir=str(tmp_path / "deep" / "runs"), run_name="x")
    tensors = {"a": torch.zeros(250_000)}  # 1 MB
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=20_500_000))
    check_room(config.run, tensors, 19)
    sentence = "room for 20.5 MB, and the checkpoints of 20 rounds take 21.0 MB; allowed: fewer"
    with pytest.raises(ConfigError, match=sentence):
        check_room(config.run, tensors, 20)
    folder = tmp_path / "deep" / "runs" / "x"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text('{"status": "completed"}')
    (folder / "big").write_bytes(bytes(1_000_000))
    check_room(config.run, tensors, 20)  # the run that would be replaced makes room
    with pytest.raises(ConfigError, match="room for"):
        check_room(config.with_values(resume="latest").run, tensors, 20)


def test_a_run_without_room_does_not_begin(
    small_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulations.runner.dry_run import look

    config = small_run(rounds=10**6, decode_cache=False)
    sentence = "room for .* MB, and the checkpoints of 1000000 rounds take"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    with pytest.raises(ConfigError, match=sentence):
        look(config, 2)
    with pytest.raises(ConfigError, match=sentence):
        run_federation(config, 2)
    assert not list((run_folder(config) / "checkpoints").iterdir())
