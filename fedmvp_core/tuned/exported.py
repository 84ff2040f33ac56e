"""The file of a tuned model: prompt tensors, and in its header all that they need to be used.

The header of a safetensors file maps names to text; here every text is JSON. Nothing in it is run
or opened: methods are found among the installed plugins, and no path is kept.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone.hashing import hash_tensors
from fedmvp_core.config import Scalar
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.disk import replace_file
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.tasks import Task, Wording

MODEL_FILE = "fedmvp_model.safetensors"
FORMAT, VERSION = "fedmvp-tuned-clip", 1
LOCAL = "local:"  # before the name of a file or folder that only its owner has
_RESIZING = "shorter side to image-size (bicubic), centre crop, pixels / 255"

# What the header's entries are.
_WORDING = ("name", "template", "attribute_template")
_OF_TASK: Mapping[str, type] = {
    "template": str,
    "attribute_template": str,
    "attribute_weight": float,
    "multi_label": bool,
}
_OF_BACKBONE: Mapping[str, type] = {
    "name": str,
    "pretrained": str,
    "weights_hash": str,
    "image_size": int,
    "architecture": dict,
}


@dataclass(frozen=True)
class BackboneFacts:
    """Which frozen CLIP the prompts belong to, and how it wants its pixels.

    name, pretrained: as run-config keys have them; "local:NAME" of a file or folder. weights_hash:
    see Backbone. architecture: keyword arguments of `open_clip.CLIP`. mean, std: for pixels in
    [0, 1].
    """

    name: str
    pretrained: str
    weights_hash: str
    image_size: int
    architecture: Mapping[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Exported:
    """What a model's file says beside its tensors.

    method_options: every option with its value, so that a later default changes nothing. seed: of
    the run, from which the untrained module is drawn. words: of the trained classes. known: the
    task of all classes that the run knows, whose templates serve new classes too. about: what
    readers want to know, such as the data set.
    """

    method: str
    method_options: str
    seed: int
    words: ClassWords
    known: Task
    backbone: BackboneFacts
    about: Mapping[str, Scalar] = field(default_factory=dict)

    def task_of(self, names: tuple[str, ...]) -> Task:
        """The task of some classes: as in the run if it knows all, else without attributes."""
        known, rows = self.known, {name: row for row, name in enumerate(self.known.class_names)}
        all_known = set(names) <= set(rows)
        return dataclasses.replace(
            known,
            class_names=names,
            attributes=tuple(known.attributes[rows[n]] if all_known else () for n in names),
            wordings=tuple(
                known.wordings[rows[name]]
                if name in rows
                else Wording(name, known.template, known.attribute_template)
                for name in names
            )
            if known.wordings
            else (),
        )


def write_export(path: Path, exported: Exported, tensors: Mapping[str, Tensor]) -> None:
    """Write a model's file, whole or not at all.

    tensors: contiguous, on the CPU.

    Raises:
        OSError: the folder cannot be written.
    """
    facts = {
        "format": FORMAT,
        "format-version": VERSION,
        "tensors-hash": _hash(tensors),
        "preprocessing": _RESIZING,
        **dataclasses.asdict(exported),
    }
    header = {name: json.dumps(value) for name, value in facts.items()}
    replace_file(path, lambda file: save_file(dict(tensors), file, metadata=header))


def read_export(path: Path) -> tuple[Exported, dict[str, Tensor]]:
    """The content of a model's file.

    Raises:
        CheckpointError: it is missing, damaged, no fedmvp export, or of a newer format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"'{path}' cannot be read as a tuned model: {error}") from None
    try:
        facts = {name: json.loads(text) for name, text in header.items()}
    except (ValueError, RecursionError):
        facts = {}
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"'{path}' is no fedmvp export; write one with: fedmvp export RUN")
    if facts.get("format-version") != VERSION:
        raise CheckpointError(
            f"'{path}' is of format {facts.get('format-version')}, this fedmvp reads format "
            f"{VERSION}; update fedmvp"
        )
    try:
        exported = _exported(facts)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"'{path}' is damaged: its header lacks or bends {error}") from None
    if facts.get("tensors-hash") != _hash(tensors):
        raise CheckpointError(
            f"'{path}' is damaged: the hash of its tensors is {_hash(tensors)}, not "
            f"{facts.get('tensors-hash')} as its header says"
        )
    return exported, tensors


def _hash(tensors: Mapping[str, Tensor]) -> str:
    return hash_tensors(FORMAT, sorted(tensors.items()))


def _exported(facts: Mapping[str, Any]) -> Exported:
    known, backbone = dict(facts["known"]), dict(facts["backbone"])
    known["attributes"] = tuple(_texts(phrases) for phrases in known["attributes"])
    known["wordings"] = tuple(
        Wording(**_typed(wording, dict.fromkeys(_WORDING, str))) for wording in known["wordings"]
    )
    known["class_names"] = _texts(known["class_names"])
    if len(known["class_names"]) != len(known["attributes"]):
        raise ValueError("its attributes, which are not of its classes")
    words = {name: _texts(texts) for name, texts in facts["words"].items()}
    for name in ("mean", "std"):
        backbone[name] = tuple(float(number) for number in backbone[name])
    return Exported(
        method=str(facts["method"]),
        method_options=str(facts["method_options"]),
        seed=int(facts["seed"]),
        words=ClassWords(**words),
        known=Task(**_typed(known, _OF_TASK)),
        backbone=BackboneFacts(**_typed(backbone, _OF_BACKBONE)),
        about=dict(facts["about"]),
    )


def _typed(given: Any, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The given entries; raises ValueError where one is of another kind."""
    for name, kind in kinds.items():
        found = type(given[name])
        if found is not kind and (kind, found) != (float, int):
            raise ValueError(f"'{name}', which is a {found.__name__}, not a {kind.__name__}")
    return dict(given)


def _texts(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise ValueError(f"{given!r}, which is no list of texts")
    return tuple(given)


def check_class_names(names: Any) -> tuple[str, ...]:
    """Names to classify among.

    Raises:
        ConfigError: there is none, one comes twice, or one is blank or no text.
    """
    if isinstance(names, str):
        raise ConfigError(f"class names are '{names}'; allowed: a list of names")
    found = tuple(names)
    if not found:
        raise ConfigError("class names are an empty list; allowed: one name or more")
    for name in found:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"class names hold {name!r}; allowed: texts that are not blank")
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ConfigError(f"class names hold {', '.join(map(repr, twice))} more than once")
    return found
