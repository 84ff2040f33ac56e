"""How many numbers a method sends at a backbone of some size, without its weights."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import parse_config
from fedmvp_core.config.options import option_names
from fedmvp_core.errors import FedMVPError
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import METHODS, find
from simulations.runner.project import default_config

# Where a module has tensors for each class, so many are assumed.
CLASSES = tuple(f"class {number}" for number in range(10))
START = "prompt-init"  # option: what prompts begin as, which may ask the weights


@dataclass(frozen=True)
class Size:
    """elements: prompt tensor elements that are sent in a phase. personal: those that are trained
    and stay at the client. classes: how many were assumed; 0 where they do not matter.
    """

    phase: str
    elements: int
    personal: int
    classes: int

    def __str__(self) -> str:
        personal = f", and {self.personal:,} that stay at the client" if self.personal else ""
        classes = f" with {self.classes} classes" if self.classes else ""
        return f"{self.elements:,}{classes}{personal}"


def sized_as(backbone: Backbone, name: str) -> Backbone:
    """The backbone with another's measures, for building prompting modules; it cannot encode."""
    import open_clip

    published: dict[str, Any] = open_clip.get_model_config(name)
    vision, text = published["vision_cfg"], published["text_cfg"]
    sized = copy.copy(backbone)
    sized.name, sized.embed_dim = name, published["embed_dim"]
    sized.image_size, sized.image_width = vision["image_size"], vision["width"]
    sized.patch_size = vision["patch_size"]
    sized.text_width, sized.context_length = text["width"], text["context_length"]
    sized.image_layers, sized.text_layers = vision["layers"], text["layers"]
    token = torch.zeros(sized.image_width)
    sized.class_token = lambda: token  # type: ignore[method-assign]
    return sized


def method_sizes(name: str, backbone: str) -> list[Size]:
    """One for each phase of a method with its default options.

    Raises:
        FedMVPError: its module cannot be built without the weights.
    """
    declared = option_names(find(METHODS, name).options)
    # Another start of the same shapes, for the towers' weights are those of a smaller model.
    start = {f"method.{START}": "random"} if START in declared else {}
    chosen = {"method": name, "method-options": "", "objective": "", "objective-options": ""}
    method = find_method(parse_config({**default_config(), **chosen, **start}))
    measures = sized_as(load_backbone("tiny"), backbone)
    few, more = (_built(method, measures, names) for names in (CLASSES[:-1], CLASSES))
    by_class = _elements(few, tuple(few.prompt_tensors())) != _elements(
        more, tuple(more.prompt_tensors())
    )
    return [_size(more, phase, len(CLASSES) if by_class else 0) for phase in method.phases]


def _built(method: ConfiguredMethod, backbone: Backbone, names: tuple[str, ...]) -> Prompting:
    try:
        return method.build_prompting(backbone, names)
    except Exception as error:  # whatever another package's builder raises
        raise FedMVPError(
            f"method '{method.name}' cannot be built without weights: "
            f"{type(error).__name__}: {error}"
        ) from error


def _size(prompting: Prompting, phase: str, classes: int) -> Size:
    personal = set(prompting.personal_tensors())
    names = prompting.phase_tensors(phase)
    sent = [name for name in names if name not in personal]
    kept = [name for name in names if name in personal]
    return Size(phase, _elements(prompting, sent), _elements(prompting, kept), classes)


def _elements(prompting: Prompting, names: Sequence[str]) -> int:
    tensors = prompting.prompt_tensors()
    return sum(tensors[name].numel() for name in names)
