"""How much faster a round is when clients train side by side, on one GPU or on several CPU cores.

Real runs under Flower and Ray, one for each number of clients at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fedmvp_core.config import Scalar
from simulations.bench.federation import seconds_of_rounds, timed_run
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.runner.planning import RAY
from simulations.runner.resources import used_gpu_memory

AT_ONCE, CLIENTS = (1, 2), 6
_GLANCE_SECONDS = 0.5


def measure(inputs: Inputs) -> list[Measured]:
    """Seconds of the rounds after the first, by the number of clients at once.

    Facts: the share of the time that local training took, and the most GPU memory in use.
    """
    sizes = inputs.sizes
    on_gpu = sizes.device == "cuda"
    values: dict[str, list[float]] = {}
    shares: dict[str, float] = {}
    memory: dict[str, float] = {}
    images = 0
    for number in sizes.clients or AT_ONCE:
        at_once = (None, number) if on_gpu else (number, None)
        words: dict[str, Scalar] = {"device": sizes.device}
        words |= {"rounds": sizes.rounds} if sizes.rounds else {}
        with (
            _watched_memory() as seen,
            timed_run({**words, **inputs.words}, CLIENTS, RAY, *at_once) as (plan, run),
        ):
            rounds, steps = seconds_of_rounds(run)
            places = plan.resources.clients_at_once
            epochs = plan.config.training.local_epochs
            images = sum(shard.num_examples for shard in run.shards) * epochs
        name = f"{number} at once"
        values[name] = rounds.tolist()
        shares[name] = round(float(steps.sum() / (places * rounds.sum())), 3)
        memory[name] = round(max(seen, default=0) / 1e9, 2)
    told: dict[str, Scalar] = {
        "clients": CLIENTS,
        "engine": RAY,
        **{k: str(v) for k, v in inputs.words.items()},
    }
    facts = {"training": shares} | ({"GB of GPU memory": memory} if on_gpu else {})
    first = next(iter(values))
    title = "a round on Ray"
    return [Measured("side-by-side", title, "s", first, values, images, told, facts)]


@contextmanager
def _watched_memory() -> Iterator[list[int]]:
    """Bytes in use on the GPUs, looked at now and then while the block runs."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(_GLANCE_SECONDS):
            seen.append(used_gpu_memory())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
