"""FedKeep: which tensors it sends, and what a client's step moves."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from method_checks import built, elements, moved_by_one_step
from prepared import prepared

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.model import LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.prompting.class_memory import ABSENT
from fedmvp_core.training import train_locally


def test_size_is_prompts_and_a_row_for_each_class(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fedkeep")
    assert elements(tiny_backbone, config, "ViT-B-16") == 9 * 4 * 768 + 3 * 513


def test_a_step_moves_every_tensor(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fedkeep")
    names = {f"image.{layer}" for layer in range(tiny_backbone.image_layers)}
    assert moved_by_one_step(tiny_backbone, config) == names | {"memory", "held"}


def test_rows_of_classes_that_a_client_does_not_hold_stay_at_zero(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fedkeep")
    names = ("owl", "cat", "dog", "elk", "cow")
    prompting = built(tiny_backbone, config, names)
    shard = prepared(tiny_backbone, 4)  # of cat, dog, cow
    train_locally(tiny_backbone, prompting, find_method(config), shard, config, LocalRound())
    tensors = prompting.prompt_tensors()
    own = torch.tensor([False, True, True, False, True])
    assert torch.equal(tensors["memory"].any(dim=1), own)
    torch.testing.assert_close(tensors["held"], torch.where(own, 1.0, ABSENT))


def test_it_does_not_average_rows_over_few_under_secure_aggregation(
    default_config: Callable[..., RunConfig],
) -> None:
    keys: dict[str, Any] = {"secure_aggregation": True, "max_update_norm": 0.0}
    with pytest.raises(ConfigError, match="average-over is 'holders' but secure-aggregation"):
        find_method(default_config(method="fedkeep", **keys))
    find_method(default_config(method="fedkeep", **keys, **{"method.average-over": "all"}))


def test_it_does_not_average_rows_under_differential_privacy(
    default_config: Callable[..., RunConfig],
) -> None:
    with pytest.raises(ConfigError, match="average-over is 'holders' but privacy is 'central'"):
        find_method(default_config(method="fedkeep", privacy="central"))
    options = {"method.average-over": "all"}
    find_method(default_config(method="fedkeep", privacy="central", **options))
