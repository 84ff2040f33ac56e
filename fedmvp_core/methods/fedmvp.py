"""FedMVP: Multimodal Visual Prompt Tuning for Federated Learning of Vision-Language Models.

Singha et al., ICCV 2025. PromptFormer makes prompts from patches and attributes; clients minimise
cross-entropy and a consistency term; the server averages prompt tensors. A client whose last batch
loss falls below sigma goes on with rank-8 LoRA on the cross-attention's inputs and sends only that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.config.options import Between, OneOf, option
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods.method import Method
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.prompting.promptformer import LORA, PromptFormer, PromptFormerOptions
from fedmvp_core.seeding import generator

# Paper and released code; `partition.cut` of the rules that deal classes out.
PUBLISHED: Mapping[str, Scalar] = MappingProxyType(
    {
        "rounds": 100,
        "local-epochs": 1,
        "fraction-train": 1.0,
        "aggregation": "fedavg",
        "weighting": "uniform",
        "learning-rate": 0.003,
        "momentum": 0.9,
        "weight-decay": 1e-5,
        "keep-momentum": True,
        "warmup-rounds": 0,
        "batch-size": 128,
        "augmentation": "none",
        "shots": 8,
        "shot-sampling": "fedmvp",
        "partition.cut": "published",
        "attribute-template": "auto",
        "attribute-weight": 1.0,
        "objective.alpha": 10.0,
        "method.prompt-length": 4,
        "method.attention-heads": 4,
        "method.prompt-init": "random",
        "method.lora-rank": 8,
        "method.lora-threshold": 0.5,
        "method.lora-init": "normal",
    }
)


@dataclass(frozen=True)
class FedMVPOptions(PromptFormerOptions):
    """PromptFormer's, and when and how the LoRA phase begins."""

    lora_threshold: Annotated[float, Between(0)] = option(
        0.5, "sigma: a client whose last batch loss is below it goes on with LoRA; 0 = never"
    )
    lora_init: Annotated[str, OneOf(("zero", "normal"))] = option(
        "zero", "zero: no jump at the switch; normal: as published"
    )


def phases(options: FedMVPOptions) -> tuple[str, ...]:
    """All tensors, then low-rank factors alone, unless that never begins."""
    return (FULL, LORA) if options.lora_threshold else (FULL,)


def next_phase(phase: str, last_loss: float, options: FedMVPOptions) -> str:
    """Once in the LoRA phase, a client stays there."""
    return LORA if phase == LORA or last_loss < options.lora_threshold else FULL


def begin_phase(prompting: Prompting, phase: str, options: FedMVPOptions, seed: int) -> None:
    """Draw LoRA's factors at the switch when they are to be drawn as published."""
    if phase == LORA and options.lora_init == "normal":
        assert isinstance(prompting, PromptFormer)
        # The same draw at every client, so that the first average of LoRA factors is meaningful.
        prompting.start_lora(generator(seed, "lora"))


def check(options: FedMVPOptions, config: RunConfig) -> None:
    """Raises ConfigError for a draw that differential privacy would clip as an update."""
    if config.privacy.privacy != "none" and options.lora_init != "zero":
        raise ConfigError(
            f"lora-init is '{options.lora_init}' but privacy is '{config.privacy.privacy}', which "
            "would clip the draw too; allowed with it: zero"
        )


method = Method(
    name="fedmvp",
    paper="FedMVP (ICCV 2025)",
    prompting="promptformer",
    objective="fedmvp",
    options=FedMVPOptions,
    phases=phases,
    next_phase=next_phase,
    begin_phase=begin_phase,
    check=check,
    published=PUBLISHED,
)
