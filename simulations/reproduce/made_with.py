"""Versions, device and commit: what a page says of the machine that made it."""

import platform
import subprocess
from importlib.metadata import version

import torch

from fedmvp_core.code_version import source_folder, source_hash
from server_app.records.environment import VERSIONED
from simulations.runner.resources import visible_cpus


def made_with() -> list[tuple[str, str]]:
    """(what, value), one fact each."""
    return [
        *((name, version(name)) for name in (*VERSIONED, "torchvision")),
        ("python", platform.python_version()),
        ("platform", platform.platform()),
        ("device", _device()),
        ("commit", commit()),
        ("source hash", source_hash()),
    ]


def _device() -> str:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
        return f"{', '.join(names)}; CUDA {torch.version.cuda}"
    return f"CPU, {visible_cpus()} cores, {torch.get_num_threads()} threads"


def commit() -> str:
    """Of the checkout that the sources are in, with a note if files of it were changed."""
    found = _git("rev-parse", "HEAD")
    if not found:
        return "the sources are in no git checkout"
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return found + (" with changes that are not committed" if changed else "")


def _git(*words: str) -> str:
    """What git says of the folder of the sources; "" if it cannot."""
    command = ["git", "-C", str(source_folder()), *words]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
