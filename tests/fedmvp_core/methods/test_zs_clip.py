"""ZS-CLIP trains and sends nothing."""

from collections.abc import Callable

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL


def test_it_has_no_prompt_tensors_and_no_objective(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="zs-clip")
    method = find_method(config)
    assert method.objective is None
    assert method.build_prompting(tiny_backbone, ()).prompt_tensors() == {}
    assert method.next_phase(FULL, 0.0) == FULL
