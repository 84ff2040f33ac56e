"""How many clients train at once, and what each is given."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.cluster.nodes import Cluster

# Flower carries a client's share of a GPU as a float of 32 bits, and begins as many workers as
# shares fit into a GPU: of 1/3, which is rounded up, only two would. Ray counts to 1/10000.
_A_LITTLE_LESS = 1 - 1e-6
# Flower speaks to its workers from Python's default number of threads.
MOST_AT_ONCE, _MORE_THREADS_THAN_CPUS = 32, 4


@dataclass(frozen=True)
class Resources:
    """What Ray is told: its pool, and the share of one client.

    A client gets one CPU whatever the machine has, so that its arithmetic, and with it the result,
    does not depend on how many run beside it.

    ray_address: of the cluster that has the pool; "": a Ray of the run's own.
    """

    cpus: int
    gpus: int
    gpus_per_client: float
    ray_address: str = ""

    @property
    def clients_at_once(self) -> int:
        """Size of the pool of actors, of which Flower does not ask more than it has threads."""
        pool = self.cpus
        if self.gpus_per_client:
            pool = min(pool, round(self.gpus / self.gpus_per_client))
        return min(pool, most_at_once())

    def federation_config(self, supernodes: int) -> str:
        """The words of `flwr run --federation-config`."""
        words = (
            f"num-supernodes={supernodes} "
            "client-resources-num-cpus=1 "
            f"client-resources-num-gpus={self.gpus_per_client * _A_LITTLE_LESS:.9g}"
        )
        if self.ray_address:  # Ray refuses to be told what a standing cluster has
            return words
        return f"{words} init-args-num-cpus={self.cpus} init-args-num-gpus={self.gpus}"


def choose_resources(
    supernodes: int,
    device: str,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
    cohort: int | None = None,
) -> Resources:
    """Resources from the machine and the command line.

    clients_per_gpu: how many may share a GPU; fewer do if there are GPUs enough, for Ray fills one
    before it turns to the next. cohort: how many a round asks; None: all.

    Raises:
        ConfigError: a number is below 1, or a GPU is asked for and none is visible.
    """
    _check_numbers(clients_at_once, clients_per_gpu)
    gpus = 0 if device == "cpu" and clients_per_gpu is None else visible_gpus()
    if clients_per_gpu is not None and device == "cpu":
        raise ConfigError(f"clients-per-gpu is {clients_per_gpu} but device is 'cpu'")
    if gpus == 0 and (clients_per_gpu is not None or device == "cuda"):
        asked = f"clients-per-gpu is {clients_per_gpu}" if clients_per_gpu else "device is 'cuda'"
        raise ConfigError(f"{asked} but no GPU was found{_mask()}; found: {visible_cpus()} CPUs")
    if gpus == 0:
        pool = min(supernodes, visible_cpus()) if clients_at_once is None else clients_at_once
        return Resources(cpus=min(pool, supernodes), gpus=0, gpus_per_client=0.0)
    at_once = min(cohort or supernodes, clients_at_once or supernodes, most_at_once())
    share = _spread(at_once, gpus, clients_per_gpu or 1)
    return Resources(cpus=min(at_once, gpus * share), gpus=gpus, gpus_per_client=1 / share)


def _spread(asked: int, gpus: int, most: int) -> int:
    """Clients on a GPU, at most `most`, when so many are spread evenly."""
    return max(1, min(most, -(-asked // gpus)))


def cluster_resources(
    cluster: Cluster,
    device: str,
    clients_at_once: int | None,
    clients_per_gpu: int | None,
    cohort: int,
) -> Resources:
    """Resources of a standing cluster; every place in it is used, as its nodes were told to have.

    Raises:
        ConfigError: a number is below 1 or not ours to choose, or what is asked for is nowhere.
    """
    _check_numbers(clients_at_once, clients_per_gpu)
    if clients_at_once is not None:
        raise ConfigError(
            f"clients-at-once is {clients_at_once}, but a cluster has as many places as its nodes "
            "were started with (ray start --num-cpus); leave it out"
        )
    if clients_per_gpu is not None and device == "cpu":
        raise ConfigError(f"clients-per-gpu is {clients_per_gpu} but device is 'cpu'")
    gpus = 0 if device == "cpu" else cluster.gpus
    found = f"found: {len(cluster.nodes)} nodes, {cluster.places(0)} CPUs, {cluster.gpus} GPUs"
    if gpus == 0 and (clients_per_gpu is not None or device == "cuda"):
        asked = f"clients-per-gpu is {clients_per_gpu}" if clients_per_gpu else "device is 'cuda'"
        raise ConfigError(f"{asked} but the cluster at {cluster.address} has no GPU; {found}")
    at_once = min(cohort, most_at_once())
    share = 1 / _spread(at_once, gpus, clients_per_gpu or 1) if gpus else 0.0
    places = cluster.places(share * _A_LITTLE_LESS)
    if places == 0:
        raise ConfigError(
            f"the cluster at {cluster.address} has no node with a CPU{' and a GPU' * bool(gpus)} "
            f"for a client; {found}"
        )
    return Resources(places, gpus, share, cluster.address)


def most_at_once() -> int:
    """How many clients Flower asks at the same time at most, from this machine."""
    return min(MOST_AT_ONCE, (os.cpu_count() or 1) + _MORE_THREADS_THAN_CPUS)


def _check_numbers(clients_at_once: int | None, clients_per_gpu: int | None) -> None:
    for name, value in (("clients-at-once", clients_at_once), ("clients-per-gpu", clients_per_gpu)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; allowed: 1 or more")


def visible_cpus() -> int:
    """CPUs that this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> int:
    """NVIDIA GPUs that this process may use, found without importing torch."""
    present = _present_gpus()
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    if mask is None:
        return present
    # As CUDA reads it: the list ends at the first entry that is no device.
    entries = [entry.strip() for entry in mask.split(",")]
    valid = entries.index("-1") if "-1" in entries else len(entries)
    return min(present, len([entry for entry in entries[:valid] if entry]))


def _present_gpus() -> int:
    if shutil.which("nvidia-smi"):
        return sum(line.startswith("GPU ") for line in _nvidia_smi("-L"))
    return len([path for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()])


def used_gpu_memory() -> int:
    """Bytes in use on all GPUs of the machine together; 0 without nvidia-smi."""
    if not shutil.which("nvidia-smi"):
        return 0
    rows = _nvidia_smi("--query-gpu=memory.used", "--format=csv,noheader,nounits")
    return sum(int(row) for row in rows if row.strip().isdigit()) * 2**20


def _nvidia_smi(*arguments: str) -> list[str]:
    command = ["nvidia-smi", *arguments]
    listing = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return listing.stdout.splitlines()


def _mask() -> str:
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if mask is None else f" (CUDA_VISIBLE_DEVICES is '{mask}')"
