"""Prompt tensors on disk: safetensors, with a JSON file that says what they belong to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedmvp_core.disk import replace_file, replace_text
from fedmvp_core.errors import CheckpointError
from fedmvp_core.wire import schema_hash


def save_checkpoint(
    folder: Path, round: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> Path:
    """Write round-NNNN.safetensors and .json, each whole or absent; returns the first's path."""
    path = folder / f"round-{round:04d}.safetensors"
    content = {"round": round, "schema-hash": schema_hash(tensors), **facts}
    # The description first: a tensors file is never without one.
    replace_text(path.with_suffix(".json"), json.dumps(content, indent=1))
    replace_file(path, lambda file: save_file(dict(tensors), file))
    return path


def latest_round(folder: Path) -> int | None:
    """The last round with a checkpoint, or None."""
    rounds = [int(path.stem.removeprefix("round-")) for path in folder.glob("round-*.safetensors")]
    return max(rounds, default=None)


def load_checkpoint(folder: Path, round: int, schema: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The prompt tensors of a round, in the schema's order.

    Raises:
        CheckpointError: a file is missing or damaged, or belongs to another method or size.
    """
    path = folder / f"round-{round:04d}.safetensors"
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        tensors = load_file(path) if schema else {}
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint '{path}' cannot be read: {error}") from error
    described = facts.get("schema-hash") if isinstance(facts, dict) else None
    # In the schema's order: the file's own is alphabetical.
    ordered = {name: tensors[name] for name in [*schema, *tensors] if name in tensors}
    expected, found = schema_hash(schema), schema_hash(ordered)
    if described != expected or found != expected:
        raise CheckpointError(
            f"checkpoint '{path}' is described as of schema {described} and holds prompt tensors "
            f"of schema {found}; the configuration makes {expected}"
        )
    return ordered
