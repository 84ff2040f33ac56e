"""What a Python has of all that the clients of one run must have alike."""

import os
import platform
from contextlib import suppress
from importlib import import_module, metadata


def installed() -> dict[str, str]:
    """What the asked process has, by name; what it lacks is missing.

    It is sent by value to nodes that may lack this package, so it names nothing of it.
    """
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("fedmvp", "flwr", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    with suppress(ImportError):
        found["sources"] = import_module("fedmvp_core.code_version").source_hash()
    # Ray sets it to the client's CPUs, 1, unless the node was started with another number.
    found["threads"] = os.environ.get("OMP_NUM_THREADS", "1")
    return found
