"""How many clients train at once, and what each is given."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.errors import ConfigError


@dataclass(frozen=True)
class Resources:
    """What Ray is told: its pool, and the share of one client.

    A client gets one CPU whatever the machine has, so that its arithmetic, and with it the result,
    does not depend on how many run beside it.
    """

    cpus: int
    gpus: int
    gpus_per_client: float

    @property
    def clients_at_once(self) -> int:
        """Size of the pool of actors."""
        if self.gpus_per_client:
            return min(self.cpus, round(self.gpus / self.gpus_per_client))
        return self.cpus

    def federation_config(self, supernodes: int) -> str:
        """The words of `flwr run --federation-config`."""
        return (
            f"num-supernodes={supernodes} "
            "client-resources-num-cpus=1 "
            f"client-resources-num-gpus={float(self.gpus_per_client)} "
            f"init-args-num-cpus={self.cpus} "
            f"init-args-num-gpus={self.gpus}"
        )


def choose_resources(
    supernodes: int,
    device: str,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
) -> Resources:
    """Resources from the machine and the command line.

    Raises:
        ConfigError: a number is below 1, or a GPU is asked for and none is visible.
    """
    for name, value in (
        ("clients-at-once", clients_at_once),
        ("clients-per-gpu", clients_per_gpu),
    ):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}; allowed: 1 or more")
    gpus = 0 if device == "cpu" and clients_per_gpu is None else visible_gpus()
    if clients_per_gpu is not None and device == "cpu":
        raise ConfigError(f"clients-per-gpu is {clients_per_gpu} but device is 'cpu'")
    if gpus == 0 and (clients_per_gpu is not None or device == "cuda"):
        asked = f"clients-per-gpu is {clients_per_gpu}" if clients_per_gpu else "device is 'cuda'"
        raise ConfigError(f"{asked} but no GPU was found{_mask()}; found: {visible_cpus()} CPUs")
    if gpus == 0:
        pool = min(supernodes, visible_cpus()) if clients_at_once is None else clients_at_once
        return Resources(cpus=min(pool, supernodes), gpus=0, gpus_per_client=0.0)
    share = clients_per_gpu or 1
    pool = min(supernodes, gpus * share, clients_at_once or supernodes)
    return Resources(cpus=pool, gpus=gpus, gpus_per_client=1 / share)


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
