"""HEP trains and sends nothing, and uses the run's template."""

from collections.abc import Callable

import torch
from method_checks import built
from prepared import prepared

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method


def test_it_is_the_frozen_model_with_the_template(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="hep")
    method, prompting = find_method(config), built(tiny_backbone, config)
    assert method.objective is None
    assert method.attack() is None
    assert prompting.prompt_tensors() == {}
    task = prepared(tiny_backbone, 3).task
    sentences = tiny_backbone.encode_text(["a cat.", "a dog.", "a cow."], normalize=True)
    found = prompting.class_features(tiny_backbone, task)
    torch.testing.assert_close(found, sentences)
