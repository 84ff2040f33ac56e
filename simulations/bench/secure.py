"""What secure aggregation adds to a round: seconds and bytes, beside the same round without it."""

from functools import partial

import torch

from fedmvp_core.config import Scalar
from simulations.bench.federation import seconds_of_rounds, timed_run
from simulations.bench.inputs import Inputs
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.bench.secure_exchange import plain_mean, secure_mean
from simulations.report.run_data import RunData
from simulations.runner.planning import INLINE

CLIENTS, MANY, NEIGHBOURS = 8, 64, 9
_FEW = 8_192  # numbers, to try the code
PLAIN, SECURE = "plain", "secure"
_SIDES: dict[str, dict[str, Scalar]] = {
    PLAIN: {"max-update-norm": 0.0},
    SECURE: {"max-update-norm": 0.0, "secure-aggregation": True},
}


def measure(inputs: Inputs) -> list[Measured]:
    """The arithmetic of a round alone, and the second round of short federations of the demo.

    Facts: bytes of numbers from all clients, and bytes of keys and shares both ways.
    """
    return [*_exchanges(inputs), *_rounds(inputs)]


def _exchanges(inputs: Inputs) -> list[Measured]:
    """The mean of made-up updates, as FedAvg has it and out of masked vectors."""
    sizes, found = inputs.sizes, []
    numbers = _FEW if sizes.quick else sizes.numbers
    for clients in sizes.clients or (CLIENTS, MANY):
        draw = torch.Generator().manual_seed(1)
        updates = [{"prompt": torch.randn(numbers, generator=draw) * 0.01} for _ in range(clients)]
        sides: dict[str, Side] = {PLAIN: partial(plain_mean, updates)}
        sides[f"{SECURE}, all hold shares"] = partial(secure_mean, updates, clients)
        if clients > NEIGHBOURS:
            ring = partial(secure_mean, updates, NEIGHBOURS)
            sides[f"{SECURE}, secagg-shares={NEIGHBOURS}"] = ring
        values = take_turns(sides, sizes.turns)
        told: dict[str, Scalar] = {"clients": clients, "numbers": numbers}
        title = f"the mean of {clients} updates"
        found.append(Measured("secure", title, "s", PLAIN, values, 0, told))
    return found


def _rounds(inputs: Inputs) -> list[Measured]:
    sizes = inputs.sizes
    found = []
    for clients in sizes.clients or ((3,) if sizes.quick else (CLIENTS,)):
        values: dict[str, list[float]] = {side: [] for side in _SIDES}
        numbers, shares = dict.fromkeys(_SIDES, 0), dict.fromkeys(_SIDES, 0)
        with timed_run(_words(inputs) | _SIDES[PLAIN], clients, INLINE):
            pass  # warms up
        for turn in range(sizes.turns):
            for side in _SIDES if turn % 2 == 0 else reversed(list(_SIDES)):
                words = _words(inputs) | _SIDES[side]
                with timed_run(words, clients, INLINE) as (_, run):
                    values[side] += seconds_of_rounds(run)[0].tolist()
                    numbers[side] = _of_round(run, "bytes-up")
                    shares[side] = _of_round(run, "secagg-bytes")
        facts = {"bytes up": numbers, "bytes of keys and shares": shares}
        told: dict[str, Scalar] = {**inputs.words, "clients": clients, "engine": INLINE}
        title = f"a round of {clients} clients"
        found.append(Measured("secure", title, "s", PLAIN, values, 0, told, facts))
    return found


def _words(inputs: Inputs) -> dict[str, Scalar]:
    """PromptFormer, which has most numbers to send, in its first phase; or the method of a word."""
    words: dict[str, Scalar] = {"rounds": 2, "device": inputs.sizes.device}
    if "method" not in inputs.words:
        words |= {"method": "fedmvp", "method.lora-threshold": 0.0}
    return {**words, **inputs.words}


def _of_round(run: RunData, metric: str) -> int:
    rows = run.metrics
    found = rows[(rows["metric"] == metric) & (rows["split"] == "train") & (rows["round"] == 2)]
    return int(found["value"].sum())
