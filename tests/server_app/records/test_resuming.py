"""What a resumed run takes from its folder, and what it refuses."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from exchanges import exchange_of
from hypothesis import given
from hypothesis import strategies as st
from run_configs import run_config
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from server_app.aggregation import ConfiguredAggregation, Update
from server_app.cohort.nodes import Node
from server_app.records.checkpoints import (
    Checkpoint,
    ServerState,
    latest_round,
    read_checkpoint,
    save_checkpoint,
)
from server_app.records.resuming import check_shards, cut_steps, metric_rows, round_to_resume
from server_app.records.run_folder import RunFolder
from server_app.strategy import PromptStrategy

HEADER = "round,split,metric,value\r\n"


def test_rows_up_to_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(
        f'{HEADER}0,base,accuracy,0.1\r\n2,"a, b",accuracy,0.30000000000000004\r\n3,x,y,1'
    )
    assert metric_rows(path, 2) == [
        (0, "base", "accuracy", 0.1),
        (2, "a, b", "accuracy", 0.1 + 0.2),
    ]
    assert len(metric_rows(path, 3)) == 3


@given(text=st.text(alphabet='0123456789,.\r\n"abcé', max_size=60))
def test_a_malformed_table_is_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "metrics.csv"
        path.write_text(HEADER + text, encoding="utf-8", newline="")
        try:
            rows = metric_rows(path, 10**9)
        except CheckpointError:
            return
        assert all(isinstance(row[0], int) and isinstance(row[3], float) for row in rows)


def test_a_table_that_is_lost_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"metrics.csv' cannot be read"):
        metric_rows(tmp_path / "metrics.csv", 1)


def test_steps_of_unfinished_rounds_and_half_lines_go(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    cut_steps(path, 1)
    assert not path.exists()
    kept = b"round,split,step,metric,value\r\n1,client-000,1,loss,0.5\r\n"
    path.write_bytes(kept + b"2,client-000,1,loss,0.5\r\n1,clie")
    cut_steps(path, 1)
    assert path.read_bytes() == kept


def a_run(folder: Path, config: RunConfig, **changes: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config.as_mapping() | changes))


def test_where_a_run_goes_on(tmp_path: Path) -> None:
    config = run_config(resume="latest")
    assert round_to_resume(tmp_path, config) is None, "there is no run"
    places = {"run-name": "other", "output-dir": "/x", "overwrite": False, "resume": ""}
    a_run(tmp_path, config, **places)
    assert round_to_resume(tmp_path, config) is None, "it had no checkpoint yet"
    for number in (0, 1):
        save_checkpoint(tmp_path / "checkpoints", number, {"a": torch.ones(2)}, {})
    assert round_to_resume(tmp_path, config) == 1
    assert round_to_resume(tmp_path, run_config()) is None, "nobody asked for it"


def test_a_younger_key_is_no_difference_and_another_value_is(tmp_path: Path) -> None:
    config = run_config(resume="latest")
    saved = config.as_mapping()
    del saved["min-clients"]
    (tmp_path / "config.json").write_text(json.dumps(saved | {"alpha": 7.0}))
    sentence = r"another configuration: objective-options \(was 'alpha=7.0', is ''\); all"
    with pytest.raises(ConfigError, match=sentence):
        round_to_resume(tmp_path, config)
    (tmp_path / "config.json").write_text(json.dumps(saved))
    assert round_to_resume(tmp_path, config) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\x00", "3"])
def test_a_malformed_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.json' cannot be read"):
        round_to_resume(tmp_path, run_config(resume="latest"))


def test_other_shards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "shards.json"
    shards = [{"partition-id": 0, "classes": {"ant": 3}}]
    check_shards(path, shards, all_there=True)  # none was written yet
    path.write_text(json.dumps(shards))
    check_shards(path, shards, all_there=True)
    for all_there in (True, False):
        with pytest.raises(ConfigError, match=r"the 1 clients do not hold what '.*shards.json'"):
            check_shards(path, [{"partition-id": 0, "classes": {"ant": 4}}], all_there)


def test_who_had_not_come_when_a_run_began_may_be_there_when_it_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "shards.json"
    first, second = ({"partition-id": i, "classes": {name: 3}} for i, name in enumerate("ab"))
    path.write_text(json.dumps([first]))
    check_shards(path, [first, second], all_there=False)
    check_shards(path, [second], all_there=False)
    with pytest.raises(ConfigError, match="the 2 clients do not hold"):
        check_shards(path, [first, second], all_there=True)


class Momentum:
    """A rule that keeps something between rounds: what changed, half of it again."""

    def __init__(self, config: RunConfig) -> None:
        self.state: dict[str, Tensor] = {}
        self._mean = ConfiguredAggregation(config).rule()

    def __call__(
        self, updates: Sequence[Update], current: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        mean = self._mean(updates, current)
        for name, value in mean.items():
            before = self.state.get(name, torch.zeros_like(value))
            self.state[name] = value - current[name] + 0.5 * before
        return {name: current[name] + self.state[name] for name in mean}


def test_a_strategy_that_remembers_goes_on_as_it_would_have(
    default_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = default_config()

    def federation() -> PromptStrategy:
        torch.manual_seed(0)
        return PromptStrategy(
            config=config,
            nodes=[Node(1000, 0, 10, {}, {})],
            exchange=exchange_of(PromptFormer(8, 6, heads=2, lora_rank=2), ("ant",)),
            rule=Momentum(config),
            folder=RunFolder(config),
            after_round=lambda round_number, tensors: None,
        )

    def play(run: PromptStrategy, value: float) -> None:
        sent = {name: torch.full_like(tensor, value) for name, tensor in run.tensors.items()}
        run.tensors |= run.rule([Update(0, sent, 1)], run.tensors)

    undisturbed = federation()
    schema = dict(undisturbed.tensors)
    play(undisturbed, 1.0)
    undisturbed.phases[0] = LORA
    save_checkpoint(tmp_path, 1, undisturbed.tensors, {}, undisturbed.state())
    play(undisturbed, 3.0)

    resumed = federation()
    assert latest_round(tmp_path) == 1
    resumed.go_on_from(read_checkpoint(tmp_path, 1, schema))
    assert resumed.phases == {0: LORA}
    play(resumed, 3.0)
    for name, value in undisturbed.tensors.items():
        assert torch.equal(resumed.tensors[name], value)
    forgetful = federation()
    read = read_checkpoint(tmp_path, 1, schema)
    forgetful.go_on_from(Checkpoint(1, read.tensors, ServerState()))
    play(forgetful, 3.0)
    assert not torch.equal(forgetful.tensors["key.bias"], resumed.tensors["key.bias"])
