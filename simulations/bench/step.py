"""A step of local training, beside the bare encoder and beside what the papers' code does."""

from functools import partial

from simulations.bench.inputs import Inputs
from simulations.bench.local import local
from simulations.bench.paired import Side, take_turns
from simulations.bench.record import Measured
from simulations.runner.client_cost import settle

FLOOR, OURS, RELEASED = "floor", "ours", "as-released"


def measure(inputs: Inputs) -> list[Measured]:
    """FedMVP's step, and, with attack steps, that of FedMVP with CAPT, which attacks first."""
    client, sizes = local(inputs), inputs.sizes
    waiting = partial(settle, client.backbone.device)
    released = {"fedmvp": client.released_step}
    if sizes.attack_steps:
        released["fedmvp-capt"] = client.released_capt_step
    found = []
    for method, theirs in released.items():
        timed: dict[str, Side] = {
            FLOOR: client.floor,
            OURS: partial(client.train, method),
            RELEASED: theirs,
        }
        values = take_turns(timed, sizes.turns, waiting)
        attacks = {"attack steps": sizes.attack_steps} if method == "fedmvp-capt" else {}
        told = inputs.told() | attacks
        found.append(Measured("step", f"a step of {method}", "s", OURS, values, sizes.batch, told))
    return found
