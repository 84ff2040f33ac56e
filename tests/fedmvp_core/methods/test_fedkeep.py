"""FedKeep: which tensors it sends, and what a client's step moves."""

from collections.abc import Callable

import torch
from method_checks import built, elements, moved_by_one_step
from prepared import prepared

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally


def test_size_is_prompts_and_a_row_for_each_class(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fedkeep")
    assert elements(tiny_backbone, config, "ViT-B-16") == 9 * 4 * 768 + 3 * 512


def test_a_step_moves_every_tensor(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fedkeep")
    names = {f"image.{layer}" for layer in range(tiny_backbone.image_layers)}
    assert moved_by_one_step(tiny_backbone, config) == names | {"memory"}


def test_rows_of_classes_that_a_client_does_not_hold_stay_at_zero(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    """So far as their names are far from those that it holds."""
    config = default_config(method="fedkeep", **{"method.memory-sharpness": 1e6})
    names = ("owl", "cat", "dog", "elk", "cow")
    prompting = built(tiny_backbone, config, names)
    shard = prepared(tiny_backbone, 4)  # of cat, dog, cow
    train_locally(tiny_backbone, prompting, find_method(config), shard, config, LocalRound())
    moved = prompting.prompt_tensors()["memory"].any(dim=1)
    assert torch.equal(moved, torch.tensor([False, True, True, False, True]))
