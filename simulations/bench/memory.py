"""What a round's replies take of the server's memory, by cohort and aggregation. Linux only.

Replies arrive one after the other; they are checked, compared and aggregated as in a run. Measured
is how far the memory of this process rises above what it was before the round; beside it, the same
with all replies held until the last is in.
"""

import ctypes
import gc
import time
from pathlib import Path

from fedmvp_core.config import Scalar
from fedmvp_core.errors import ConfigError
from simulations.bench.inputs import Inputs
from simulations.bench.record import Measured
from simulations.bench.replies import play_round

CLIENTS = (8, 64)
_WARM_UP = 4  # clients of a round after which what is made once is made
_OWN = Path("/proc/self")


def measure(inputs: Inputs) -> list[Measured]:
    """One table for each aggregation.

    Raises:
        ConfigError: this is no Linux.
    """
    if not (_OWN / "clear_refs").exists():
        raise ConfigError("the part 'memory' reads /proc, which this machine has not")
    sizes = inputs.sizes
    cohorts = sizes.clients or CLIENTS
    found = []
    for aggregation in sizes.aggregations:
        play_round(aggregation, _WARM_UP, sizes.numbers)
        most = max(cohorts)
        rounds = {f"{n} clients": (n, False) for n in cohorts}
        rounds[f"{most} clients, all replies held"] = (most, True)
        values, seconds = {}, {}
        for name, (clients, hold) in rounds.items():
            began = time.process_time()
            values[name] = [rise_of(aggregation, clients, sizes.numbers, hold)]
            seconds[name] = round(time.process_time() - began, 2)
        told: dict[str, Scalar] = {"numbers": sizes.numbers}
        title, base = f"server memory, {aggregation}", next(iter(values))
        facts = {"CPU s": seconds}  # the making of the replies with it
        found.append(Measured("memory", title, "MB", base, values, 0, told, facts))
    return found


def rise_of(aggregation: str, clients: int, numbers: int, hold: bool = False) -> float:
    """MB that the process takes at most in a round, above what it held before."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    (_OWN / "clear_refs").write_text("5")  # the peak begins anew
    before = _kilobytes("VmRSS")
    play_round(aggregation, clients, numbers, hold)
    return (_kilobytes("VmHWM") - before) / 1024


def _kilobytes(key: str) -> int:
    lines = (_OWN / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
