"""What a Flower strategy keeps between rounds, as tensors that a checkpoint can hold.

Its attributes are walked through: numbers, words, arrays and records of them, in lists, mappings
and strategies within strategies. What is none of these, such as a function, stays as the strategy's
constructor made it. Nothing is pickled.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy
from torch import Tensor

_TREE = "attributes"
_LEFT = {"kind": "left"}


def strategy_state(strategy: Strategy) -> dict[str, Tensor]:
    """Everything that a strategy's attributes hold, by name; "attributes" says where it belongs."""
    tensors: dict[str, Tensor] = {}
    tree = {name: _packed(value, tensors) for name, value in vars(strategy).items()}
    text = json.dumps(tree).encode()
    return {_TREE: torch.frombuffer(bytearray(text), dtype=torch.uint8), **tensors}


def restore_strategy(strategy: Strategy, state: Mapping[str, Tensor]) -> None:
    """Put back what `strategy_state` gave into a strategy made by the same constructor.

    Raises:
        AttributeError, LookupError, TypeError, ValueError: it is something else.
    """
    try:
        tree = json.loads(bytes(state[_TREE].numpy().tobytes()))
    except RecursionError:
        raise ValueError("attributes are nested too deeply") from None
    for name, packed in tree.items():
        setattr(strategy, name, _unpacked(packed, state, getattr(strategy, name, None)))


def _packed(value: Any, tensors: dict[str, Tensor]) -> dict[str, Any]:
    if value is None or isinstance(value, bool | int | float | str):
        return {"kind": "plain", "value": value}
    if isinstance(value, np.ndarray | np.generic):
        return {"kind": "array", "at": _kept(np.asarray(value), tensors)}
    if isinstance(value, ArrayRecord):
        arrays = {name: _kept(array.numpy(), tensors) for name, array in value.items()}
        return {"kind": "record", "arrays": arrays}
    if isinstance(value, list | tuple):
        parts = [_packed(part, tensors) for part in value]
        return {"kind": type(value).__name__, "parts": parts}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"kind": "dict", "parts": {k: _packed(v, tensors) for k, v in value.items()}}
    if isinstance(value, Strategy):
        return {
            "kind": "strategy",
            "parts": {k: _packed(v, tensors) for k, v in vars(value).items()},
        }
    return _LEFT


def _kept(array: np.ndarray, tensors: dict[str, Tensor]) -> str:
    name = f"array-{len(tensors)}"
    tensors[name] = torch.from_numpy(np.array(array, copy=True, order="C"))
    return name


def _unpacked(packed: dict[str, Any], tensors: Mapping[str, Tensor], made: Any) -> Any:
    """The value; made: what the constructor put there, which stays where nothing was kept."""
    kind = packed["kind"]
    if kind == "plain":
        return packed["value"]
    if kind == "array":
        return tensors[packed["at"]].numpy().copy()
    if kind == "record":
        named = packed["arrays"].items()
        return ArrayRecord({name: Array(tensors[at].numpy().copy()) for name, at in named})
    if kind in ("list", "tuple"):
        parts = [_unpacked(part, tensors, None) for part in packed["parts"]]
        return parts if kind == "list" else tuple(parts)
    if kind == "dict":
        before = made if isinstance(made, dict) else {}
        return {k: _unpacked(v, tensors, before.get(k)) for k, v in packed["parts"].items()}
    if kind == "strategy":
        for name, part in packed["parts"].items():
            setattr(made, name, _unpacked(part, tensors, getattr(made, name, None)))
    return made
