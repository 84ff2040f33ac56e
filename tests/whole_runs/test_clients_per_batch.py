"""clients-per-batch: clients of a round that train at once end as they do one after the other."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from federation_harness import final_tensors, run_federation
from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.registry import METHODS, find, names_in

Make = Callable[..., RunConfig]
CLIENTS = 3
TRAINED = [name for name in names_in(METHODS) if find(METHODS, name).objective is not None]


def apart(serial: Mapping[str, Tensor], batched: Mapping[str, Tensor]) -> float:
    """The largest difference of a tensor over its length."""
    assert serial.keys() == batched.keys()
    return max(float((batched[n] - t).norm() / t.norm().clamp(min=1e-3)) for n, t in serial.items())


def both(make: Make, at_once: int = CLIENTS, clients: int = CLIENTS, **keys: Any):
    serial = make(run_name="serial", **keys)
    batched = make(run_name="batched", clients_per_batch=at_once, **keys)
    run_federation(serial, clients)
    run_federation(batched, clients)
    return final_tensors(serial), final_tensors(batched)


@pytest.mark.parametrize("name", TRAINED)
def test_every_method(small_run: Make, name: str) -> None:
    serial, batched = both(
        small_run,
        method=name,
        partition="iid",
        shots=3,
        local_epochs=1,
        batch_size=4,
        attack_steps=2,
        robust_attack="none",
        pretrained="embedded",
    )
    print("APART", name, apart(serial, batched))
