"""The method: when a client goes on with LoRA, and what a backbone must have."""

from collections.abc import Callable

import pytest
import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA


@pytest.mark.parametrize(
    ("phase", "loss", "following"),
    [(FULL, 0.51, FULL), (FULL, 0.5, FULL), (FULL, 0.49, LORA), (LORA, 9.0, LORA)],
)
def test_a_client_goes_on_with_lora_once_its_loss_is_below_the_threshold(
    default_config: Callable[..., RunConfig], phase: str, loss: float, following: str
) -> None:
    config = default_config(method_options="lora-threshold=0.5")
    assert find_method(config).next_phase(phase, loss) == following


def test_threshold_zero_means_never(default_config: Callable[..., RunConfig]) -> None:
    config = default_config(method_options="lora-threshold=0")
    assert find_method(config).next_phase(FULL, 0.0) == FULL


def test_heads_that_do_not_divide_the_width_are_refused(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method_options="attention-heads=3")
    with pytest.raises(ConfigError, match=r"attention-heads is 3; allowed: a divisor .* 128"):
        find_method(config).build_prompting(tiny_backbone, ())


def test_the_start_depends_on_the_seed_alone(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    def start(seed: int) -> dict[str, torch.Tensor]:
        config = default_config(seed=seed)
        return find_method(config).build_prompting(tiny_backbone, ()).prompt_tensors()

    torch.manual_seed(1)
    first = start(1)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = start(1)
    assert torch.equal(state, torch.get_rng_state()), "the global generator is left as it was"
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["query.weight"], start(2)["query.weight"])


def test_sizes_come_from_the_configuration(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method_options="lora-rank=5 prompt-length=7 attention-heads=8")
    module = find_method(config).build_prompting(tiny_backbone, ())
    assert module.prompt_tensors()["lora.query.down"].shape == (128, 5)
    prompts = module.prompts(torch.randn(1, 64, 128), torch.randn(3, 128))
    assert prompts.shape == (1, 7, 128)
    assert module.heads == 8


@pytest.mark.parametrize("threshold", [0.5, 0.0])
def test_without_a_threshold_there_is_no_second_phase(
    default_config: Callable[..., RunConfig], threshold: float
) -> None:
    config = default_config(method_options=f"lora-threshold={threshold}")
    assert find_method(config).phases == ((FULL, LORA) if threshold else (FULL,))


@pytest.mark.parametrize("method", ["fedmvp", "fedmvp-capt"])
@pytest.mark.parametrize("privacy", ["central", "local"])
def test_privacy_does_not_go_with_drawn_factors(
    default_config: Callable[..., RunConfig], method: str, privacy: str
) -> None:
    find_method(default_config(method=method, privacy=privacy))
    find_method(default_config(method=method, method_options="lora-init=normal"))
    config = default_config(method=method, privacy=privacy, method_options="lora-init=normal")
    with pytest.raises(
        ConfigError, match=f"lora-init is 'normal' but privacy is '{privacy}'.*allowed.*: zero"
    ):
        find_method(config)
