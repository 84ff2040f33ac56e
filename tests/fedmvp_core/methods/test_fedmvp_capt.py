"""FedMVP with CAPT: sizes, what each phase trains and sends, and the switch to LoRA."""

from collections.abc import Callable

import pytest
import torch
from method_checks import built, elements, moved_by_one_step

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA

MakeConfig = Callable[..., RunConfig]


@pytest.mark.parametrize(
    ("coupled", "phase", "count"),
    [
        (False, FULL, 9_845_760),
        (False, LORA, 36_864),
        (True, FULL, 9_845_760 + 3_555_072),
        (True, LORA, 36_864),
    ],
)
def test_sizes_at_published_widths(
    tiny_backbone: Backbone, default_config: MakeConfig, coupled: bool, phase: str, count: int
) -> None:
    config = default_config(method="fedmvp-capt", **{"method.coupled-prompts": coupled})
    assert elements(tiny_backbone, config, "ViT-B-16", phase) == count


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("phase", [FULL, LORA])
def test_a_step_moves_exactly_what_the_phase_sends(
    tiny_backbone: Backbone, default_config: MakeConfig, coupled: bool, phase: str
) -> None:
    config = default_config(method="fedmvp-capt", **{"method.coupled-prompts": coupled})
    sent = set(built(tiny_backbone, config).phase_tensors(phase))
    moved = moved_by_one_step(tiny_backbone, config, phase)
    assert moved <= sent
    # Softmax takes no notice of what is added to all keys, so these have no gradient.
    assert all(name.endswith(("key.bias", "key_norm.bias")) for name in sent - moved)


@pytest.mark.parametrize("coupled", [False, True])
def test_the_switch_to_lora_is_fedmvps(
    tiny_backbone: Backbone, default_config: MakeConfig, coupled: bool
) -> None:
    config = default_config(
        method="fedmvp-capt",
        method_options="lora-init=normal lora-threshold=0.5",
        **{"method.coupled-prompts": coupled},
    )
    method, prompting = find_method(config), built(tiny_backbone, config)
    assert method.next_phase(FULL, 0.49) == LORA
    assert method.next_phase(FULL, 0.51) == FULL
    before = prompting.prompt_tensors()
    method.begin_phase(prompting, LORA)
    drawn = {n for n, v in prompting.prompt_tensors().items() if not torch.equal(v, before[n])}
    assert drawn == {name for name in before if name.endswith(".up")}


def test_what_both_parts_refuse_is_refused(
    tiny_backbone: Backbone, default_config: MakeConfig
) -> None:
    config = default_config(
        method="fedmvp-capt", method_options="coupled-prompts=true attention-heads=3"
    )
    with pytest.raises(ConfigError, match="attention-heads is 3"):
        built(tiny_backbone, config)
    config = default_config(
        method="fedmvp-capt", method_options="coupled-prompts=true deep-depth=7"
    )
    with pytest.raises(ConfigError, match="deep-depth is 7"):
        built(tiny_backbone, config)
