"""From a model's file, on the disk or on the hub, to a TunedCLIP."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor, nn

from fedmvp_core.backbone import Backbone, load_backbone, load_tokenizer
from fedmvp_core.backbone.configs import ModelConfig
from fedmvp_core.config.options import options_type, parse_options
from fedmvp_core.devices import choose_device
from fedmvp_core.errors import CheckpointError, ConfigError, WireError
from fedmvp_core.methods.method import Method, untrained_prompting
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import METHODS, find
from fedmvp_core.tuned.exported import LOCAL, MODEL_FILE, BackboneFacts, Exported, read_export
from fedmvp_core.tuned.hub import fetch_model, looks_like_hub_id
from fedmvp_core.tuned.model import TunedCLIP

DEVICES = ("auto", "cpu", "cuda")
# A loaded backbone, an open_clip.CLIP, (name, pretrained), or a name or a path of weights.
GivenBackbone: TypeAlias = Backbone | nn.Module | tuple[str, str] | str | Path


def load(
    path_or_hub_id: str | Path, backbone: GivenBackbone | None = None, device: str = "auto"
) -> TunedCLIP:
    """The tuned model of an export: a folder, its file, or its id on the Hugging Face hub.

    Args:
        path_or_hub_id: what `fedmvp export` wrote, or ORG/NAME.
        backbone: the frozen CLIP; None: the one that the export names. An `open_clip.CLIP`, which
            is frozen; a name and weights, as the run-config keys backbone and pretrained have them;
            a name alone; or the path of weights. Its weights must have the export's hash.
        device: auto (CUDA if there is one) | cpu | cuda.

    Raises:
        CheckpointError: the file is missing, damaged, no export, or the backbone is another one.
        ConfigError: the method or the backbone is not to be had here, or the device is not.
    """
    if device not in DEVICES:
        raise ConfigError(f"device is '{device}'; allowed: {', '.join(DEVICES)}")
    exported, tensors = read_export(model_file(path_or_hub_id))
    frozen = _backbone(backbone, exported.backbone, str(choose_device(device)))
    if frozen.weights_hash != exported.backbone.weights_hash:
        raise CheckpointError(
            f"the prompts in '{path_or_hub_id}' were tuned with a backbone of the weights hash "
            f"{exported.backbone.weights_hash} ({_named(exported.backbone)}); the one given has "
            f"{frozen.weights_hash}"
        )
    return TunedCLIP(frozen, rebuilt_prompting(frozen, exported, tensors), exported)


def model_file(path_or_hub_id: str | Path) -> Path:
    """The model's file on this machine, fetched from the hub if need be.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(path_or_hub_id).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if (path / MODEL_FILE).is_file():
            return path / MODEL_FILE
        hint = f"fedmvp export {path}" if (path / "config.json").is_file() else "fedmvp export RUN"
        raise CheckpointError(f"'{path}' holds no {MODEL_FILE}; write one with: {hint}")
    if looks_like_hub_id(str(path_or_hub_id)):
        return fetch_model(str(path_or_hub_id))
    raise CheckpointError(
        f"'{path_or_hub_id}' is no file, no folder and no hub id such as ORG/NAME"
    )


def rebuilt_prompting(
    backbone: Backbone, exported: Exported, tensors: Mapping[str, Tensor]
) -> Prompting:
    """The run's prompting module with its prompt tensors.

    Raises:
        ConfigError: the method is not installed, or has not those options.
        CheckpointError: the tensors are not the method's.
    """
    method: Method = find(METHODS, exported.method)
    owner = f"method '{exported.method}'"
    options = parse_options(owner, options_type(method), exported.method_options)
    module = untrained_prompting(backbone, method, options, exported.words, exported.seed)
    own = module.prompt_tensors()
    if set(own) != set(tensors):
        raise CheckpointError(
            f"the export holds the prompt tensors {', '.join(sorted(tensors))}; {owner} has "
            f"{', '.join(sorted(own))}"
        )
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"the prompt tensor '{name}' holds numbers that are NaN")
    try:
        module.load_prompt_tensors(tensors)
    except WireError as error:
        raise CheckpointError(f"the export does not fit {owner}: {error}") from None
    return module.eval()


def _backbone(given: GivenBackbone | None, facts: BackboneFacts, device: str) -> Backbone:
    if isinstance(given, Backbone):
        return given.to(device)
    if isinstance(given, nn.Module):
        return _of_open_clip(given, facts).to(device)
    name, pretrained = facts.name, facts.pretrained
    if isinstance(given, tuple):
        name, pretrained = given
    elif given is not None and Path(given).expanduser().is_file():
        pretrained = str(Path(given).expanduser())
    elif given is not None:
        name = str(given)
    if name.startswith(LOCAL) or pretrained.startswith(LOCAL):
        raise CheckpointError(
            f"the prompts were tuned with {_named(facts)}, which only its owner has; give it: "
            "backbone=(NAME, PATH OF THE WEIGHTS), or an open_clip model"
        )
    return load_backbone(name, pretrained or None, device)


def _of_open_clip(clip: Any, facts: BackboneFacts) -> Backbone:
    """An open_clip model with the export's tokenizer and pixel statistics."""
    if not all(hasattr(clip, part) for part in ("visual", "transformer", "logit_scale")):
        raise ConfigError(
            f"backbone is a {type(clip).__name__}; allowed: an open_clip.CLIP, a name, a path"
        )
    config = ModelConfig(facts.name, dict(facts.architecture), facts.mean, facts.std)
    return Backbone(clip, load_tokenizer(facts.name), config, facts.pretrained)


def _named(facts: BackboneFacts) -> str:
    return f"backbone '{facts.name}', pretrained '{facts.pretrained}'"
