"""The contract of a method: its module, its prompt tensors, its phases, and what a step does."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import ConfiguredMethod, Method, find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import METHODS
from fedmvp_core.training import train_locally
from simulations.plugins.examples import (
    CLASSES,
    IMAGES,
    NEW_CLASSES,
    example_shard,
    random_backbone,
    task_of,
)
from simulations.plugins.findings import (
    Finding,
    checked,
    default_options,
    loaded,
    small_config,
)
from simulations.plugins.sharing import train_two

STEPS = 2


def check_method(name: str, words: dict[str, Scalar]) -> Iterator[Finding]:
    """Every check that makes sense after those before it."""
    finding, method = loaded(METHODS, name, Method)
    yield finding
    if method is None:
        return
    options = default_options(method, f"method '{name}'")
    yield options
    if options.wrong:
        return
    config = small_config(words, method=name, batch_size=IMAGES // STEPS)
    configured, backbone = find_method(config), random_backbone()
    built: list[Prompting] = []
    yield checked(
        "it builds a Prompting for the tiny backbone", lambda: _builds(configured, backbone, built)
    )
    if not built:
        return
    prompting = built[0]
    yield checked(
        "its prompt tensors are finite, float32 and the same whenever they are built",
        lambda: _tensors(prompting, configured.build_prompting(backbone, CLASSES)),
    )
    yield checked(
        "its phases train tensors that it has", lambda: _phases(prompting, configured.phases)
    )
    yield checked("its personal tensors are tensors that it has", lambda: _personal(prompting))
    shard = example_shard(backbone)
    yield checked(
        "it leaves alone the features that it says it does",
        lambda: _changes(prompting, backbone, shard),
    )
    yield checked(
        "its image features have length 1", lambda: _unit_features(prompting, backbone, shard)
    )
    yield checked(
        "classes that nobody trained on can be scored",
        lambda: _scores_new_classes(prompting, backbone, shard),
    )
    if configured.trains:
        for phase in configured.phases:
            yield checked(
                f"{STEPS} steps of phase '{phase}' give a finite loss and move its tensors alone",
                _steps(configured, backbone, shard, config, phase),
            )
        yield checked(
            "its clients can share a batch", lambda: _shares(configured, backbone, shard, config)
        )
    yield checked(
        "its tensors can be loaded into a new module",
        lambda: _round_trip(prompting, configured.build_prompting(backbone, CLASSES)),
    )


def _builds(method: ConfiguredMethod, backbone: Backbone, built: list[Prompting]) -> str:
    module = method.build_prompting(backbone, CLASSES)
    if not isinstance(module, Prompting):
        return f"it is a {type(module).__name__}"
    built.append(module)
    if method.trains and not module.prompt_tensors():
        return "it has no parameters, but the method has an objective"
    return ""


def _tensors(prompting: Prompting, again: Prompting) -> str:
    first, second = prompting.prompt_tensors(), again.prompt_tensors()
    if list(first) != list(second):
        return f"names or their order differ: {', '.join(first)} and {', '.join(second)}"
    for name, value in first.items():
        if value.dtype != torch.float32:
            return f"'{name}' is {value.dtype}"
        if not torch.isfinite(value).all():
            return f"'{name}' holds NaN or infinite numbers"
        if not torch.equal(value, second[name]):
            return (
                f"'{name}' differs between two modules; draw from torch's global generator, which "
                "is seeded, or from one with a fixed seed"
            )
    return ""


def _phases(prompting: Prompting, phases: tuple[str, ...]) -> str:
    known, held = set(prompting.prompt_tensors()), bool(prompting.prompt_tensors())
    for phase in phases:
        names = prompting.phase_tensors(phase)
        if unknown := sorted(set(names) - known):
            return f"phase '{phase}' names {', '.join(unknown)}"
        if len(set(names)) < len(names):
            return f"phase '{phase}' names a tensor twice: {', '.join(names)}"
        if held and not names:
            return f"phase '{phase}' trains nothing"
    return "" if phases else "there is no phase"


def _personal(prompting: Prompting) -> str:
    unknown = sorted(set(prompting.personal_tensors()) - set(prompting.prompt_tensors()))
    return f"it has no {', '.join(unknown)}" if unknown else ""


def _pictures(shard: PreparedShard) -> Tensor:
    return shard.images.float() / 255


def _unit_features(prompting: Prompting, backbone: Backbone, shard: PreparedShard) -> str:
    with torch.no_grad():
        features = prompting.image_features(backbone, _pictures(shard), shard.task)
    if features.shape != (IMAGES, backbone.embed_dim):
        return f"shape {tuple(features.shape)}; expected {(IMAGES, backbone.embed_dim)}"
    lengths = features.norm(dim=-1)
    far = (lengths - 1).abs().max().item()
    return "" if far < 1e-4 else f"they are {lengths.min():.3f} to {lengths.max():.3f} long"


def _changes(prompting: Prompting, backbone: Backbone, shard: PreparedShard) -> str:
    features = prompting(backbone, _pictures(shard), shard.task)
    if features.image_features.requires_grad and not prompting.prompts_images():
        return "image features depend on prompt tensors, but prompts_images() says no"
    if features.class_features.requires_grad and not prompting.prompts_text():
        return "class features depend on prompt tensors, but prompts_text() says no"
    return ""


def _scores_new_classes(prompting: Prompting, backbone: Backbone, shard: PreparedShard) -> str:
    task = task_of(backbone, (*CLASSES[:1], *NEW_CLASSES))
    with torch.no_grad():
        features = prompting(backbone, _pictures(shard), task)
    count = 1 + len(NEW_CLASSES)
    expected, found = (count, backbone.embed_dim), tuple(features.class_features.shape)
    if found not in (expected, (IMAGES, *expected)):
        return f"class features have shape {found}; not {expected}, or that of each image"
    if features.logits is not None and features.logits.shape != (IMAGES, count):
        return f"its logits have shape {tuple(features.logits.shape)}; not {(IMAGES, count)}"
    parts = [part for part in features if part is not None]
    finite = all(bool(torch.isfinite(part).all()) for part in parts)
    return "" if finite else "features or logits are NaN or infinite"


def _steps(
    method: ConfiguredMethod,
    backbone: Backbone,
    shard: PreparedShard,
    config: RunConfig,
    phase: str,
) -> Callable[[], str]:
    def check() -> str:
        prompting = _nudged(method.build_prompting(backbone, CLASSES))
        before = prompting.prompt_tensors()
        round = LocalRound(number=1, phase=phase, received=before)
        result = train_locally(backbone, prompting, method, shard, config, round)
        if len(result.steps["loss"]) != STEPS:
            return f"{len(result.steps['loss'])} steps were taken"
        trained, after = set(prompting.phase_tensors(phase)), prompting.prompt_tensors()
        moved = {n for n, value in after.items() if not torch.equal(value, before[n])}
        if not moved & trained:
            return f"none of {', '.join(sorted(trained))} moved"
        # A phase may change others as it begins, as FedMVP draws LoRA's factors.
        stray = moved - trained - _changed_by_beginning(method, backbone, phase)
        return f"{', '.join(sorted(stray))} moved too" if stray else ""

    return check


def _shares(
    method: ConfiguredMethod, backbone: Backbone, shard: PreparedShard, config: RunConfig
) -> str:
    train_two(method, backbone, shard, config)
    return ""


def _nudged(prompting: Prompting) -> Prompting:
    """With a little noise on all tensors: a factor that begins at zero hides what it multiplies."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in prompting.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=draw))
    return prompting


def _changed_by_beginning(method: ConfiguredMethod, backbone: Backbone, phase: str) -> set[str]:
    prompting = _nudged(method.build_prompting(backbone, CLASSES))
    before = prompting.prompt_tensors()
    method.begin_phase(prompting, phase)
    after = prompting.prompt_tensors()
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


def _round_trip(prompting: Prompting, other: Prompting) -> str:
    drawn = {n: torch.randn(t.shape) for n, t in prompting.prompt_tensors().items()}
    prompting.load_prompt_tensors(drawn)
    other.load_prompt_tensors(prompting.prompt_tensors())
    for name, value in other.prompt_tensors().items():
        if not torch.equal(value, drawn[name]):
            return f"'{name}' is not what was loaded"
    return ""
