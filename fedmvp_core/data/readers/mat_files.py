"""Annotations in MATLAB's files, which only SciPy reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmvp_core.errors import DataError


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
