"""The environment of the SuperLink and of all that it starts."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# A foreign daemon's address, another project's import path or a thread number made for one process
# would each change what a run does.
_FOREIGN_PREFIXES = ("FLWR_",)
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Of Ray's variables the ones that tell a process which job it belongs to, as a process that Ray
# started has them; its settings (memory, logs, TLS, tokens) are the user's.
_OF_ANOTHER_JOB = ("RAY_JOB_", "RAY_RUNTIME_ENV", "RAY_RAYLET_PID", "RAY_CLIENT_MODE")
# The ones that tell it which cluster: a run for itself starts its own.
_OF_A_CLUSTER = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_NAMESPACE", "RAY_REDIS_")
_LOCAL = "127.0.0.1,localhost"


def clean_environment(
    folder: Path, base: Mapping[str, str] | None = None, ray_address: str = ""
) -> dict[str, str]:
    """The user's environment without what is foreign, and with what a run in `folder` needs.

    ray_address: HOST:PORT of the cluster that the run joins; "": it starts a Ray of its own.
    """
    inherited = os.environ if base is None else base
    environment = {
        name: value
        for name, value in joining_environment(inherited).items()
        if ray_address or not name.startswith(_OF_A_CLUSTER)
    }
    scripts = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))
    path = dict.fromkeys((*scripts, *environment.get("PATH", os.defpath).split(os.pathsep)))
    environment["PATH"] = os.pathsep.join(path)
    for name in ("NO_PROXY", "no_proxy"):  # the SuperLink is on this machine, whatever the proxy
        environment[name] = ",".join(filter(None, (inherited.get(name), _LOCAL)))
    environment |= {"RAY_ADDRESS": ray_address} if ray_address else {"RAY_TMPDIR": str(folder)}
    return environment | {
        "FLWR_HOME": str(folder / "flwr"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "TMPDIR": str(folder),  # removed with all that libraries leave there
        "RAY_DEDUP_LOGS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray gives its workers nice 15; beside any other work on the machine the clients, which are
        # the run, would then be starved until the server gives them up.
        "RAY_worker_niceness": "0",
        # Ray's own warning about a change in a later version of it.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",  # the logs are, whatever the terminal is
    }


def joining_environment(base: Mapping[str, str]) -> dict[str, str]:
    """An environment without what is foreign, in which a process may still join a cluster."""
    return {
        name: value
        for name, value in base.items()
        if not name.startswith((*_FOREIGN_PREFIXES, *_OF_ANOTHER_JOB)) and name not in _FOREIGN
    }
