"""PromptFL: its sizes, and that it is CoOp's words under clean cross-entropy."""

from collections.abc import Callable

import pytest
from method_checks import built, elements

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method

Make = Callable[..., RunConfig]


@pytest.mark.parametrize(("words", "numbers"), [("", 8_192), ("context-length=4", 2_048)])
def test_sizes_at_published_widths(
    tiny_backbone: Backbone, default_config: Make, words: str, numbers: int
) -> None:
    config = default_config(method="promptfl", method_options=words)
    assert elements(tiny_backbone, config, "ViT-B-16") == numbers


def test_the_module_is_apts_without_the_attack(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    configs = [default_config(method=name) for name in ("promptfl", "apt")]
    modules = [built(tiny_backbone, config) for config in configs]
    assert type(modules[0]) is type(modules[1])
    assert modules[0].prompt_tensors()["context"].shape == (16, tiny_backbone.text_width)
    objective = find_method(configs[0]).objective
    assert objective is not None
    assert (objective.name, objective.attack) == ("cross-entropy", None)
