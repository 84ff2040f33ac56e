"""The environment of the SuperLink and of all that it starts."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

# A foreign daemon's address, a standing Ray cluster, another project's import path or a thread
# number made for one process would each change what a run does.
_FOREIGN_PREFIXES = ("FLWR_", "RAY_")
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_LOCAL = "127.0.0.1,localhost"


def clean_environment(folder: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The user's environment without what is foreign, and with what a run in `folder` needs."""
    inherited = os.environ if base is None else base
    environment = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_FOREIGN_PREFIXES) and name not in _FOREIGN
    }
    scripts = (str(Path(sys.executable).parent), sysconfig.get_path("scripts"))
    path = dict.fromkeys((*scripts, *environment.get("PATH", os.defpath).split(os.pathsep)))
    environment["PATH"] = os.pathsep.join(path)
    for name in ("NO_PROXY", "no_proxy"):  # the SuperLink is on this machine, whatever the proxy
        environment[name] = ",".join(filter(None, (inherited.get(name), _LOCAL)))
    return environment | {
        "FLWR_HOME": str(folder / "flwr"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "TMPDIR": str(folder),  # removed with all that libraries leave there
        "RAY_TMPDIR": str(folder),
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
