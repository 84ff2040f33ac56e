"""Every method that is installed: a whole federation of two rounds, clean and attacked."""

from collections.abc import Callable

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation
from method_checks import built, encoded, far_apart, moved_by_one_step, with_random_start

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method
from fedmvp_core.registry import METHODS, find, names_in

Make = Callable[..., RunConfig]
TRAINED = [name for name in names_in(METHODS) if find(METHODS, name).objective is not None]


@pytest.mark.parametrize("name", names_in(METHODS))
def test_two_rounds_and_the_same_in_one_batch(small_run: Make, name: str) -> None:
    config = small_run(
        method=name,
        partition="iid",
        shots=2,
        local_epochs=1,
        attack_steps=1,
        robust_attack="pgd",
        robust_steps=1,
        robust_images=2,
    )
    run_federation(config, 2)
    rows = metric_rows(config)
    assert all(value == value and abs(value) < float("inf") for *_, value in rows)
    measured = {metric for _, _, metric, _ in rows}
    assert any("accuracy" in metric for metric in measured)
    if name in TRAINED:
        tensors = final_tensors(config)
        assert tensors
        assert all(bool(value.isfinite().all()) for value in tensors.values())
        batched = config.with_values(run_name="batched", clients_per_batch=2, robust_attack="none")
        run_federation(batched, 2)
        # The sign of an attack's gradient near 0 may be the other one after rounding.
        attacked = find_method(config).attack() is not None
        apart = far_apart(tensors, final_tensors(batched))
        assert apart < (1e-4 if attacked else 1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_reach_every_trained_tensor(
    tiny_backbone: Backbone, default_config: Make, name: str
) -> None:
    config = with_random_start(default_config(method=name))
    for phase in find_method(config).phases:
        trained = set(built(tiny_backbone, config).phase_tensors(phase))
        # What all keys share leaves an attention as it is: these gradients are zero by nature.
        shared = {name for name in trained if name.endswith(("key.bias", "key_norm.bias"))}
        moved = moved_by_one_step(tiny_backbone, config, phase)
        assert trained - shared <= moved <= trained


@pytest.mark.parametrize("name", TRAINED)
def test_a_module_changes_the_features_that_it_says_it_changes(
    tiny_backbone: Backbone, default_config: Make, name: str
) -> None:
    module = built(tiny_backbone, default_config(method=name))
    features = module(tiny_backbone, torch.rand(2, 3, 64, 64), encoded(tiny_backbone, "cat", "dog"))
    changed = (features.image_features.requires_grad, features.class_features.requires_grad)
    assert changed == (module.prompts_images(), module.prompts_text())
