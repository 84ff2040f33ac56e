"""What a Python has of all that the clients of one run must have alike."""


def installed() -> dict[str, str]:
    """What the asked process has, by name; what it lacks is missing.

    It is sent to nodes that may lack this package, so it needs nothing but the standard library.
    """
    import os
    import platform
    from importlib import metadata

    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("fedmvp", "flwr", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    try:
        from fedmvp_core.code_version import source_hash

        found["sources"] = source_hash()
    except ImportError:
        pass
    # Ray sets it to the client's CPUs, 1, unless the node was started with another number.
    found["threads"] = os.environ.get("OMP_NUM_THREADS", "1")
    return found
