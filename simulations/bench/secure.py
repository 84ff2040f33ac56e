"""What secure aggregation adds to a round: seconds and bytes, beside the same round without it."""

from fedmvp_core.config import Scalar
from simulations.bench.federation import seconds_of_rounds, timed_run
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.report.run_data import RunData
from simulations.runner.planning import INLINE

CLIENTS = 8
PLAIN, SECURE = "plain", "secure"
_SIDES: dict[str, dict[str, Scalar]] = {
    PLAIN: {"max-update-norm": 0.0},
    SECURE: {"max-update-norm": 0.0, "secure-aggregation": True},
}


def measure(inputs: Inputs) -> list[Measured]:
    """The second round of short federations of the demo, with and without masks in turn.

    Facts: bytes of numbers from all clients, and bytes of keys and shares both ways.
    """
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
