"""How exactly an update travels from a client to the server (`wire-dtype`).

In float32 a client sends its tensors as they are. In fewer bits it sends what training changed of
those that it received, and keeps what rounding lost: it is added to the client's next update, so
that over the rounds nothing is lost (error feedback: Seide et al., Interspeech 2014; Karimireddy et
al., ICML 2019). int8 has one scale for each tensor. What the server sends stays float32.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmvp_core.config.keys import FLOAT32

# bfloat16 travels as the whole numbers of its bits, since NumPy does not have it.
_TRAVELS = {"float16": torch.float16, "bfloat16": torch.int16, "int8": torch.int8}
_MOST = 127  # of int8, on either side
_SCALE_BYTES = 8


@dataclass(frozen=True)
class WireUpdate:
    """An update as it travels: tensors by name, and the scales of int8, in the order of names.

    errors: what rounding lost, in float32; it stays with the client.
    """

    tensors: dict[str, Tensor]
    scales: list[float]
    errors: dict[str, Tensor]


def to_wire(
    trained: Mapping[str, Tensor],
    received: Mapping[str, Tensor],
    carried: Mapping[str, Tensor],
    wire_dtype: str,
) -> WireUpdate:
    """What is sent of some tensors, which are finite, and what is kept of them.

    received: at least these, as the server sent them. carried: earlier errors, by name.
    """
    update, scales = WireUpdate({}, [], {}), {}
    for name, value in trained.items():
        wanted = value.double() - received[name].double()
        if name in carried:
            wanted = wanted + carried[name].double()
        scale = float(wanted.abs().max()) / _MOST if wanted.numel() else 0.0
        scale = scale or 1.0
        sent = _rounded(wanted, wire_dtype, scale)
        update.tensors[name] = sent
        scales[name] = scale
        update.errors[name] = (wanted - _numbers(sent, wire_dtype, scale)).float()
    if wire_dtype == "int8":
        update.scales.extend(scales[name] for name in sorted(scales))
    return update


def from_wire(
    tensors: Mapping[str, Tensor],
    scales: Sequence[float],
    current: Mapping[str, Tensor],
    wire_dtype: str,
) -> dict[str, Tensor]:
    """The tensors that a client means, in the types of the current ones.

    tensors: of the layout of `wire_layout`. scales: one for each of them with int8, in the order of
    their names.
    """
    factors = dict(zip(sorted(tensors), scales or [1.0] * len(tensors), strict=True))
    changes = {name: _numbers(sent, wire_dtype, factors[name]) for name, sent in tensors.items()}
    return {
        name: (current[name].double() + change).to(current[name].dtype)
        for name, change in changes.items()
    }


def wire_layout(tensors: Mapping[str, Tensor], wire_dtype: str) -> dict[str, Tensor]:
    """Tensors of the shapes and types in which these travel from a client; values mean nothing."""
    if wire_dtype == FLOAT32:
        return dict(tensors)
    kind = _TRAVELS[wire_dtype]
    return {name: torch.empty(value.shape, dtype=kind) for name, value in tensors.items()}


def wire_bytes(tensors: Mapping[str, Tensor], wire_dtype: str) -> int:
    """Bytes that a client sends of some tensors, scales with them."""
    scales = len(tensors) * _SCALE_BYTES if wire_dtype == "int8" else 0
    return sum(value.nbytes for value in wire_layout(tensors, wire_dtype).values()) + scales


def _rounded(wanted: Tensor, wire_dtype: str, scale: float) -> Tensor:
    if wire_dtype == "int8":
        return (wanted / scale).round().clamp(-_MOST, _MOST).to(torch.int8)
    if wire_dtype == "bfloat16":
        return wanted.to(torch.bfloat16).view(torch.int16)
    most = torch.finfo(torch.float16).max
    return wanted.clamp(-most, most).to(torch.float16)


def _numbers(sent: Tensor, wire_dtype: str, scale: float) -> Tensor:
    """What was sent, in float64."""
    if wire_dtype == "int8":
        return sent.double() * scale
    return (sent.view(torch.bfloat16) if wire_dtype == "bfloat16" else sent).double()
