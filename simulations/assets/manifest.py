"""fedmvp_assets/manifest.json: the size and SHA-256 of every data file that the wheel carries.

python -m simulations.assets.manifest        writes it anew
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "fedmvp_assets"
DATA_SUFFIXES = {".webp", ".json", ".gz", ".safetensors"}


def describe(path: Path) -> dict[str, str | int]:
    """Checksum and size of one file."""
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def data_files() -> list[Path]:
    """Every data file under fedmvp_assets, sorted by path."""
    found = (path for path in ASSETS.rglob("*") if path.suffix in DATA_SUFFIXES)
    return sorted(path for path in found if path.name != "manifest.json")


def build_manifest() -> dict[str, dict[str, str | int]]:
    """Path relative to fedmvp_assets -> checksum and size."""
    return {path.relative_to(ASSETS).as_posix(): describe(path) for path in data_files()}


def write_manifest() -> None:
    """Write manifest.json beside the files it describes."""
    text = json.dumps(build_manifest(), indent=1)
    (ASSETS / "manifest.json").write_text(text + "\n")


if __name__ == "__main__":
    write_manifest()
