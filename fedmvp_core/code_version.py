"""Which code is running: a hash that server and clients compare.

Flower gives the ServerApp the bundled copy of the app, while Ray may put another folder first on
its workers' import path, for instance the one that an older SuperLink was started from. Then
clients would silently run other code than the server.
"""

import hashlib
import importlib
from functools import cache
from pathlib import Path

from fedmvp_core.errors import WireError

PACKAGES = ("client_app", "fedmvp_core", "server_app")


def source_folder() -> Path:
    """The folder that the running packages were imported from."""
    return Path(__file__).resolve().parents[1]


@cache
def source_hash() -> str:
    """SHA-256 (first 16 digits) over names and contents of the packages' .py files."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        module = importlib.import_module(package)
        assert module.__file__ is not None
        folder = Path(module.__file__).resolve().parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(folder).as_posix()}\n".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def check_sources(server_hash: str, server_folder: str) -> None:
    """Refuse to train with other code than the server's.

    Raises:
        WireError: the hashes differ; both folders are named.
    """
    own = source_hash()
    if own != server_hash:
        raise WireError(
            f"the client runs the code in '{source_folder()}' ({own}), the server that in "
            f"'{server_folder}' ({server_hash}); stop the SuperLink that was started for another "
            "project, or bring both to the same version"
        )
