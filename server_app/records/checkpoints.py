"""Prompt tensors on disk: safetensors, with a JSON file that says what they belong to.

A pair is usable when both files are whole and belong together, which a hash of the first in the
second tells. Each file is replaced at once and is on the disk before the next is begun, so a
process or a machine that dies while it writes costs the round that it writes, and none before.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from fedmvp_core.disk import replace_file
from fedmvp_core.errors import CheckpointError
from fedmvp_core.json_logs import logger
from fedmvp_core.protocol import schema_hash

_STATE = "strategy-state/"  # before the names of what a strategy keeps between rounds


@dataclass(frozen=True)
class ServerState:
    """What the server must know, beside the prompt tensors, to go on after a round.

    phases: partition id -> phase of the client's next training; a client that is not named is in
    the method's first one. strategy: what the aggregation keeps between rounds, by name.
    """

    phases: Mapping[int, str] = field(default_factory=dict)
    strategy: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a round; tensors are in the schema's order.

    run_id: "" in checkpoints of version 0.1.
    """

    round: int
    tensors: dict[str, Tensor]
    state: ServerState
    run_id: str = ""


def save_checkpoint(
    folder: Path,
    round: int,
    tensors: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    state: ServerState | None = None,
) -> Path:
    """Write round-NNNN.safetensors and .json, each whole or absent; returns the first's path."""
    path, kept = _path(folder, round), state or ServerState()
    named = {_STATE + name: value for name, value in kept.strategy.items()}
    data = save({**tensors, **named})
    content = {
        "round": round,
        "schema-hash": schema_hash(tensors),
        "sha256": hashlib.sha256(data).hexdigest(),
        "phases": {str(client): phase for client, phase in sorted(kept.phases.items())},
        **facts,
    }
    # The description first: a tensors file is never without one.
    text = json.dumps(content, indent=1).encode()
    replace_file(path.with_suffix(".json"), lambda file: _write(file, text), durable=True)
    replace_file(path, lambda file: _write(file, data), durable=True)
    return path


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def latest_round(folder: Path) -> int | None:
    """The last round with a usable checkpoint, or None; a damaged one is a warning."""
    for round in _rounds(folder):
        try:
            _read(_path(folder, round))
        except CheckpointError as error:
            logger.warning("%s; looking for an earlier one", error)
        else:
            return round
    return None


def load_checkpoint(folder: Path, round: int, schema: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The prompt tensors of a round, in the schema's order.

    Raises:
        CheckpointError: a file is missing or damaged, belongs to another method or size, or holds
            a number that is NaN or infinite.
    """
    return read_checkpoint(folder, round, schema).tensors


def read_checkpoint(folder: Path, round: int, schema: Mapping[str, Tensor]) -> Checkpoint:
    """Everything that a checkpoint holds.

    Raises:
        CheckpointError: see load_checkpoint.
    """
    path = _path(folder, round)
    tensors, facts = _read(path)
    strategy = {
        name.removeprefix(_STATE): tensors.pop(name)
        for name in [*tensors]
        if name.startswith(_STATE)
    }
    # In the schema's order: the file's own is alphabetical.
    ordered = {name: tensors[name] for name in [*schema, *tensors] if name in tensors}
    described, expected, found = facts.get("schema-hash"), schema_hash(schema), schema_hash(ordered)
    if described != expected or found != expected:
        raise CheckpointError(
            f"checkpoint '{path}' is described as of schema {described} and holds prompt tensors "
            f"of schema {found}; the configuration makes {expected}"
        )
    for name, tensor in ordered.items():
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"checkpoint '{path}': the prompt tensor '{name}' holds numbers that are NaN or "
                "infinite"
            )
    run_id = str(facts.get("run-id", ""))
    return Checkpoint(round, ordered, ServerState(_phases(facts, path), strategy), run_id)


def _path(folder: Path, round: int) -> Path:
    return folder / f"round-{round:04d}.safetensors"


def _rounds(folder: Path) -> list[int]:
    """Rounds with a tensors file, the last first; files of other names are not ours."""
    words = [path.stem.removeprefix("round-") for path in folder.glob("round-*.safetensors")]
    rounds = (int(word) for word in words if word.isascii() and word.isdigit())
    return sorted((round for round in rounds if _path(folder, round).is_file()), reverse=True)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the facts of a pair.

    Raises:
        CheckpointError: a file is missing or damaged, or they do not belong together.
    """
    try:
        facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data = path.read_bytes()
        tensors = load(data)
    except (OSError, ValueError, KeyError, RecursionError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint '{path}' cannot be read: {error}") from error
    if not isinstance(facts, dict):
        raise CheckpointError(f"checkpoint '{path}' cannot be read: its .json holds no object")
    # Runs from before there was a hash have none.
    if facts.get("sha256", (found := hashlib.sha256(data).hexdigest())) != found:
        raise CheckpointError(
            f"checkpoint '{path}' cannot be read: its SHA-256 is {found}, not that of its .json"
        )
    return tensors, facts


def _phases(facts: Mapping[str, Any], path: Path) -> dict[int, str]:
    phases = facts.get("phases", {})
    if not isinstance(phases, dict) or not all(
        client.isascii() and client.isdigit() and isinstance(phase, str)
        for client, phase in phases.items()
    ):
        raise CheckpointError(f"checkpoint '{path}': phases are {phases!r}; allowed: {{id: phase}}")
    return {int(client): phase for client, phase in phases.items()}
