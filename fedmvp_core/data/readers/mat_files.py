"""Annotations in MATLAB's files, which only SciPy reads."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmvp_core.errors import DataError

# Some damaged files end the process within SciPy, so another one reads each first.
_PROBE = "import sys; from scipy.io import loadmat; loadmat(sys.argv[1])"


def read_mat(file: Path, data_set: str, needed: str, variable: str) -> Any:
    """One variable of a .mat file, flattened: (n,) of whatever it holds.

    needed: what the message adds about a file that is not there.

    Raises:
        DataError: the file is missing or damaged, lacks the variable, or SciPy is not installed.
    """
    if not file.is_file():
        raise DataError(f"{data_set} needs '{file}', which does not exist{needed}")
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise DataError(
            f"{data_set}: '{file.name}' is read by SciPy, which is not installed "
            f"(pip install 'fedmvp[data]'){needed}"
        ) from error
    probe = [sys.executable, "-c", _PROBE, str(file)]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode < 0:
        raise DataError(f"{data_set}: '{file}' is damaged: SciPy dies of reading it")
    try:
        content: Mapping[str, Any] = loadmat(file)
    except Exception as error:  # SciPy raises its own, zlib's, struct's, ... for damaged files
        raise DataError(f"{data_set}: '{file}' cannot be read: {error}") from error
    if variable not in content:
        raise DataError(f"{data_set}: '{file}' has no variable '{variable}'")
    return content[variable].ravel()


def scalar(value: Any) -> Any:
    """MATLAB's 1 x 1 array, or what is already a plain value, to the value."""
    return value.ravel()[0] if hasattr(value, "ravel") else value
