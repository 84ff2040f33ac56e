"""An update as it travels: bytes, and the time to write and to read it, for each wire-dtype."""

import io
from functools import partial

import torch
from flwr.app import ArrayRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from torch import Tensor

from fedmvp_core.config.keys import FLOAT32
from fedmvp_core.wire import from_wire, to_wire
from simulations.bench.inputs import Inputs
from simulations.bench.paired import take_turns
from simulations.bench.record import Measured

PLAIN = "torch.save"
DTYPES = (FLOAT32, "float16", "bfloat16", "int8")
_TENSORS = 8  # of equal sizes
_FEW = 8_192  # numbers, to try the code


def measure(inputs: Inputs) -> list[Measured]:
    """Writing and reading, beside `torch.save` and `torch.load` of the same float32 tensors.

    Lower types include what a client computes for them, see fedmvp_core/wire.py.
    """
    sizes = inputs.sizes
    numbers = _FEW if sizes.quick else sizes.numbers
    received = {f"prompt-{i}": torch.randn(numbers // _TENSORS) for i in range(_TENSORS)}
    trained = {name: value + 0.01 * torch.randn_like(value) for name, value in received.items()}
    written = {dtype: _written(trained, received, dtype) for dtype in DTYPES}
    plain = _saved(trained)
    writing = {dtype: partial(_written, trained, received, dtype) for dtype in DTYPES}
    reading = {dtype: partial(_read, *written[dtype], received, dtype) for dtype in DTYPES}
    size = {PLAIN: len(plain), **{dtype: len(data) for dtype, (data, _) in written.items()}}
    told = {"numbers": numbers}
    turns = sizes.turns
    out = take_turns({PLAIN: partial(_saved, trained), **writing}, turns)
    back = take_turns({PLAIN: partial(_loaded, plain), **reading}, turns)
    return [
        Measured("wire", "writing an update", "s", PLAIN, out, 0, told, {"bytes": size}),
        Measured("wire", "reading an update", "s", PLAIN, back, 0, told, {"bytes": size}),
    ]


def _written(
    trained: dict[str, Tensor], received: dict[str, Tensor], dtype: str
) -> tuple[bytes, list[float]]:
    """The message's bytes as Flower makes them, and int8's scales."""
    scales: list[float] = []
    if dtype != FLOAT32:
        update = to_wire(trained, received, {}, dtype)
        trained, scales = update.tensors, update.scales
    record = RecordDict({"prompts": ArrayRecord(dict(trained))})
    return recorddict_to_proto(record).SerializeToString(), scales


def _read(data: bytes, scales: list[float], received: dict[str, Tensor], dtype: str) -> None:
    record = recorddict_from_proto(ProtoRecordDict.FromString(data))
    tensors = dict(record.array_records["prompts"].to_torch_state_dict())
    if dtype != FLOAT32:
        from_wire(tensors, scales, received, dtype)


def _saved(trained: dict[str, Tensor]) -> bytes:
    file = io.BytesIO()
    torch.save(trained, file)
    return file.getvalue()


def _loaded(data: bytes) -> None:
    torch.load(io.BytesIO(data), weights_only=True)
