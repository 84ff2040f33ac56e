"""Files of the embedded benchmark (`fedmvp_assets`), checked against its manifest."""

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fedmvp_core.errors import DataError


def asset_root() -> Path:
    """Folder of the installed `fedmvp_assets` package."""
    return Path(str(files("fedmvp_assets")))


@cache
def _manifest(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "manifest.json"
    try:
        manifest: dict[str, dict[str, Any]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"the embedded benchmark's manifest '{path}' cannot be read: {error}"
        ) from error
    return manifest


def read_asset(name: str, root: Path | None = None) -> bytes:
    """The bytes of one file, such as "emojidomains/noto.webp".

    Raises:
        DataError: the file is missing, unknown to the manifest, or its checksum differs.
    """
    root = root or asset_root()
    expected = _manifest(root).get(name)
    if expected is None:
        raise DataError(f"'{name}' is not a file of the embedded benchmark in '{root}'")
    try:
        data = (root / name).read_bytes()
    except OSError as error:
        raise DataError(f"'{root / name}' cannot be read: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected["sha256"]:
        raise DataError(
            f"'{root / name}' is damaged: its SHA-256 is {found}, the manifest says "
            f"{expected['sha256']}; install the package again"
        )
    return data
