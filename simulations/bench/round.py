"""A round of the inline engine, beside the sum of its clients' local steps."""

from fedmvp_core.config import Scalar
from simulations.bench.federation import seconds_of_rounds, timed_run
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.runner.planning import INLINE

CLIENTS = 6


def measure(inputs: Inputs) -> list[Measured]:
    """Rounds of the demo; what is above the steps is messages, checks, aggregation and disk."""
    sizes = inputs.sizes
    clients = sizes.clients[0] if sizes.clients else 2 if sizes.quick else CLIENTS
    words: dict[str, Scalar] = {"rounds": sizes.rounds or sizes.turns + 1, "device": sizes.device}
    with timed_run({**words, **inputs.words}, clients, INLINE) as (plan, run):
        rounds, steps = seconds_of_rounds(run)
        told: dict[str, Scalar] = {
            "clients": clients,
            "method": plan.config.model.method,
            "engine": INLINE,
        }
    values = {"local steps": steps.tolist(), "round": rounds.tolist()}
    return [Measured("round", "a round", "s", "local steps", values, 0, told)]
