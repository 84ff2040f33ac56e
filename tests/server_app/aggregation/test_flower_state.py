"""What a Flower strategy keeps in its attributes, as tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import DifferentialPrivacyServerSideAdaptiveClipping, FedAdam, FedAvg
from safetensors.torch import load, save

from server_app.aggregation.flower_state import restore_strategy, strategy_state


class Keeping(FedAvg):
    """Keeps some of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}
        self.listed: Any = []
        self.function: Callable[[], int] = lambda: 7


def through_a_file(strategy: Any, fresh: Any) -> Any:
    restore_strategy(fresh, load(save(strategy_state(strategy))))
    return fresh


def test_values_of_every_kind_come_back() -> None:
    before = Keeping()
    before.kept = {
        "none": None,
        "words": "a\nü",
        "numbers": [1, 2.5, True, -(2**70)],
        "nested": {"pair": (np.arange(6).reshape(2, 3), np.float32(0.1))},
    }
    before.listed = [np.zeros(()), {"x": np.array([True, False])}]
    after = through_a_file(before, Keeping())
    assert after.kept["words"] == "a\nü"
    assert after.kept["none"] is None
    assert after.kept["numbers"] == [1, 2.5, True, -(2**70)]
    assert [type(value) for value in after.kept["numbers"]] == [int, float, bool, int]
    matrix, number = after.kept["nested"]["pair"]
    np.testing.assert_array_equal(matrix, np.arange(6).reshape(2, 3))
    assert (matrix.dtype, number.dtype, float(number)) == (np.int64, np.float32, np.float32(0.1))
    assert after.listed[0].shape == ()
    assert after.listed[1]["x"].tolist() == [True, False]
    assert after.function() == 7, "what cannot be kept stays as the constructor made it"


def test_records_come_back_bit_for_bit() -> None:
    before = Keeping()
    value = torch.tensor([0.1, -0.0, 1e-40])
    before.kept = {"record": ArrayRecord({"w": Array(value.numpy())})}
    after = through_a_file(before, Keeping())
    record = after.kept["record"]
    assert isinstance(record, ArrayRecord)
    found = torch.from_numpy(record["w"].numpy())
    assert torch.equal(found, value)
    assert torch.equal(found.signbit(), value.signbit())


def test_moments_come_back_and_are_copies() -> None:
    before = FedAdam()
    before.m_t = {"a": np.array([1.0, 2.0])}
    before.v_t = {"a": np.array([3.0, 4.0])}
    kept = strategy_state(before)
    after = FedAdam()
    restore_strategy(after, kept)
    assert after.m_t is not None
    after.m_t["a"] += 1
    assert before.m_t["a"].tolist() == [1.0, 2.0]
    again = FedAdam()
    restore_strategy(again, kept)
    assert again.m_t is not None
    assert again.m_t["a"].tolist() == [1.0, 2.0]


def wrapped() -> DifferentialPrivacyServerSideAdaptiveClipping:
    return DifferentialPrivacyServerSideAdaptiveClipping(FedAdam(), 0.1, 5)


def test_strategies_within_strategies_come_back() -> None:
    before = wrapped()
    before.clipping_norm = 0.625
    assert isinstance(before.strategy, FedAdam)
    before.strategy.m_t = {"a": np.array([1.0])}
    after = through_a_file(before, wrapped())
    assert after.clipping_norm == 0.625
    assert isinstance(after.strategy, FedAdam)
    assert after.strategy.m_t is not None
    assert after.strategy.m_t["a"].tolist() == [1.0]
