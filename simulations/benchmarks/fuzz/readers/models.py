"""Readers of weights, exports and cached features."""

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save
from torch import Tensor, nn

from fedmvp_core.backbone import FeatureCache
from fedmvp_core.backbone.checkpoints import read_checkpoint
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.tasks import Task, Wording
from fedmvp_core.tuned.exported import BackboneFacts, Exported, read_export, write_export
from simulations.benchmarks.fuzz.reader import Reader

_WEIGHTS = {
    "visual.conv1.weight": torch.full((2, 3, 2, 2), 0.5),
    "positional_embedding": torch.zeros(4, 2),
    "logit_scale": torch.tensor(4.6),
}


def _saved(content: object, **how: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **how)
    return buffer.getvalue()


def _script() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    return buffer.getvalue()


def _pickles() -> list[bytes]:
    nested = {
        "state_dict": {f"module.{name}": value for name, value in _WEIGHTS.items()},
        "epoch": 3,
    }
    return [_saved(_WEIGHTS), _saved(nested)]


def _bare_pickles() -> list[bytes]:
    return [_saved(_WEIGHTS, _use_new_zipfile_serialization=False)]


def _exported() -> Exported:
    task = Task(
        ("ant", "bee"), (("six legs",), ("wings",)), "a {class}.", "a {class}, {attribute}."
    )
    words = ClassWords(*(("ant", "bee"),) * 2, ("a ant.", "a bee."), (task.template,))
    backbone = BackboneFacts(
        "tiny", "embedded", "00ff", 32, {"embed_dim": 8}, (0.5,) * 3, (0.2,) * 3
    )
    wordings = tuple(
        Wording(name, task.template, task.attribute_template) for name in ("ant", "bee")
    )
    known = Task(
        task.class_names,
        task.attributes,
        task.template,
        task.attribute_template,
        0.5,
        False,
        wordings,
    )
    return Exported("promptfl", "context-length=2", 1, words, known, backbone, {"rounds": 2})


def _export() -> list[bytes]:
    with TemporaryDirectory() as folder:
        write_export(
            path := Path(folder) / "model.safetensors", _exported(), {"a": torch.ones(2, 3)}
        )
        return [path.read_bytes()]


def _cached(path: Path) -> Tensor:
    """What the cache gives; one that cannot be read is computed."""
    found = FeatureCache(path.parent).get_or_compute(path.stem, lambda: torch.zeros(2, 3))
    return found + 0


MODELS: Mapping[str, Reader] = {
    "weights-safetensors": Reader("clip.safetensors", lambda: [save(_WEIGHTS)], read_checkpoint),
    "weights-pickle": Reader("clip.pt", _pickles, read_checkpoint),
    "weights-bare-pickle": Reader("clip.bin", _bare_pickles, read_checkpoint),
    "weights-script": Reader("script.pt", lambda: [_script()], read_checkpoint),
    "export": Reader("model.safetensors", _export, read_export),
    "features": Reader("00ff.safetensors", lambda: [save({"features": torch.ones(2, 3)})], _cached),
}
