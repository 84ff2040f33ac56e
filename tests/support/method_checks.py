"""What the tests of methods share: sizes at published widths, and one step of training."""

import dataclasses
from collections.abc import Mapping

import torch
from prepared import NAMES, prepared
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.config.options import changed_options, options_text
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.tasks import EncodedTask, Task, encode_task
from fedmvp_core.training import train_locally
from simulations.plugins.sizes import sized_as


def built(backbone: Backbone, config: RunConfig, names: tuple[str, ...] = NAMES) -> Prompting:
    """The method's untrained prompting module."""
    return find_method(config).build_prompting(backbone, names)


def with_random_start(config: RunConfig) -> RunConfig:
    """The configuration with `prompt-init=random`, if its method has that option."""
    options = find_method(config).options
    if not hasattr(options, "prompt_init"):
        return config
    changed = changed_options(dataclasses.replace(options, prompt_init="random"))
    return config.with_values(method_options=options_text(changed))


def elements(backbone: Backbone, config: RunConfig, name: str, phase: str = FULL) -> int:
    """How many numbers the method sends in a phase with the measures of backbone `name`."""
    # The stand-in's towers have other widths, so nothing can start from what they encode.
    prompting = built(sized_as(backbone, name), with_random_start(config))
    tensors = prompting.prompt_tensors()
    return sum(tensors[tensor].numel() for tensor in prompting.phase_tensors(phase))


def moved_by_one_step(backbone: Backbone, config: RunConfig, phase: str = FULL) -> set[str]:
    """Names of the prompt tensors that a step without weight decay changes.

    Every tensor is drawn before, since a factor that starts at zero hides what it multiplies.
    """
    config = config.with_values(weight_decay=0.0, local_epochs=1, attack_steps=1)
    method, prompting = find_method(config), built(backbone, config)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in prompting.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=draw)
    before = prompting.prompt_tensors()
    shard = prepared(backbone, 4)
    train_locally(backbone, prompting, method, shard, config, LocalRound(phase=phase))
    after = prompting.prompt_tensors()
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


def attacked(
    backbone: Backbone, prompting: Prompting, config: RunConfig, shard: PreparedShard
) -> Tensor:
    """The method's attack on all images of a shard, from a fixed random start."""
    attack = find_method(config).attack()
    assert attack is not None
    model = LocalModel(backbone, prompting, shard)
    images = shard.images.float() / 255
    return attack(model, images, shard.labels, torch.Generator().manual_seed(0))


def encoded(backbone: Backbone, *names: str) -> EncodedTask:
    """A task of these classes, each with one attribute."""
    plain = Task(names, (("small",),) * len(names), "a {class}.", "a {class}, {attribute}.")
    return encode_task(backbone, plain, FeatureCache(None))


def far_apart(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> float:
    """The largest distance of two tensors of one name, over the length of the first.

    What is shorter than 1e-6 moved by rounding alone, as a key's bias.
    """
    assert some.keys() == others.keys()
    return max(float((others[n] - t).norm() / t.norm().clamp(min=1e-6)) for n, t in some.items())
