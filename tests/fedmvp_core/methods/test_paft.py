"""PAFT: a row for each class that the federation trains on."""

from collections.abc import Callable

import torch
from method_checks import built, elements, moved_by_one_step
from prepared import prepared

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally


def test_size_is_classes_times_the_joint_width(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    assert elements(tiny_backbone, default_config(method="paft"), "ViT-B-16") == 3 * 512


def test_a_step_moves_the_rows(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="paft")
    assert moved_by_one_step(tiny_backbone, config) == {"offsets"}


def test_rows_of_classes_that_a_client_does_not_hold_stay_at_zero(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="paft")
    names = ("owl", "cat", "dog", "elk", "cow")
    prompting = built(tiny_backbone, config, names)
    shard = prepared(tiny_backbone, 4)  # of cat, dog, cow
    train_locally(tiny_backbone, prompting, find_method(config), shard, config, LocalRound())
    moved = prompting.prompt_tensors()["offsets"].any(dim=1)
    assert torch.equal(moved, torch.tensor([False, True, True, False, True]))
