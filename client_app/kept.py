"""Tensors that a client keeps to itself: personal ones, of client terms, momentum, lost bits.

They live in the node's context, as Flower's apps have it, and beside that on the client's own disk,
so that a run which is resumed after a crash goes on with them. They never travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from fedmvp_core.disk import cache_directory, replace_file
from fedmvp_core.json_logs import logger

_KEPT, _FACTS = "kept-tensors", "kept-facts"
_RUN, _ROUND = "run-id", "round"
MOMENTUM = "/momentum/"  # before the names of SGD's buffers; no term's name is empty
WIRE_ERROR = "/wire-error/"  # before the names of tensors: what rounding lost of their updates
_FILES = 3  # of the last rounds: a server may go on from a round or two before


@dataclass(frozen=True)
class Keeper:
    """One client's tensors in one run.

    folder: below the client's cache-dir. run_id: as the server names the run, the same after it is
    resumed.
    """

    folder: Path
    run_id: str

    @classmethod
    def of(cls, cache_dir: str, run_id: str, partition_id: int) -> "Keeper":
        """The keeper of a client."""
        clients = cache_directory(cache_dir) / "clients"
        return cls(clients / run_id / f"client-{partition_id}", run_id)

    def keep(self, state: RecordDict, tensors: Mapping[str, Tensor], round: int) -> None:
        """Keep what a round ends with; nothing is written for a client that keeps nothing."""
        if not tensors:
            return
        state[_KEPT] = ArrayRecord(dict(tensors))
        state[_FACTS] = ConfigRecord({_RUN: self.run_id, _ROUND: round})
        data = save({name: value.contiguous() for name, value in tensors.items()})
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._path(round), lambda path: _write(path, data), durable=True)
        for old in self._rounds()[:-_FILES]:
            self._path(old).unlink(missing_ok=True)

    def kept(self, state: RecordDict, round: int) -> dict[str, Tensor]:
        """What the last round before `round` ended with; {} before a client's first one."""
        facts, record = state.get(_FACTS), state.get(_KEPT)
        if isinstance(facts, ConfigRecord) and isinstance(record, ArrayRecord):
            held = facts[_ROUND]
            if facts[_RUN] == self.run_id and isinstance(held, int) and held < round:
                return dict(record.to_torch_state_dict())
        earlier = [held for held in self._rounds() if held < round]
        return self._read(earlier[-1]) if earlier else {}

    def _path(self, round: int) -> Path:
        return self.folder / f"round-{round:04d}.safetensors"

    def _rounds(self) -> list[int]:
        words = [
            path.stem.removeprefix("round-") for path in self.folder.glob("round-*.safetensors")
        ]
        return sorted(int(word) for word in words if word.isascii() and word.isdigit())

    def _read(self, round: int) -> dict[str, Tensor]:
        try:
            return load(self._path(round).read_bytes())
        except (OSError, SafetensorError) as error:
            logger.warning("'%s' cannot be read, so it begins anew: %s", self._path(round), error)
            return {}


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
