"""FedMVP: Multimodal Visual Prompt Tuning for Federated Learning of Vision-Language Models.

Singha et al., ICCV 2025. PromptFormer makes prompts from patches and attributes; clients minimise
cross-entropy and a consistency term; the server averages prompt tensors. A client whose last batch
loss falls below sigma goes on with rank-8 LoRA on the cross-attention's inputs and sends only that.
"""

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.methods.method import ClassNames, Method
from fedmvp_core.objectives.fedmvp import fedmvp_objective
from fedmvp_core.prompting import FULL, LORA, Prompting
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.seeding import generator


def build_promptformer(
    backbone: Backbone, config: RunConfig, class_names: ClassNames
) -> PromptFormer:
    """PromptFormer for the backbone; raises ConfigError for heads that do not divide its width."""
    if backbone.image_width % config.model.attention_heads:
        raise ConfigError(
            f"attention-heads is {config.model.attention_heads}; allowed: a divisor of the image width "
            f"{backbone.image_width} of backbone '{backbone.name}'"
        )
    promptformer = PromptFormer(
        image_width=backbone.image_width,
        text_width=backbone.embed_dim,
        prompt_length=config.model.prompt_length,
        heads=config.model.attention_heads,
        lora_rank=config.model.lora_rank,
    )
    if config.model.prompt_init == "frozen":
        promptformer.start_with(backbone.class_token())
    return promptformer


def next_phase(phase: str, last_loss: float, config: RunConfig) -> str:
    """Once in the LoRA phase, a client stays there."""
    return LORA if phase == LORA or last_loss < config.model.lora_threshold else FULL


def begin_phase(prompting: Prompting, phase: str, config: RunConfig) -> None:
    """Draw LoRA's factors at the switch when they are to be drawn as published."""
    if phase == LORA and config.model.lora_init == "normal":
        assert isinstance(prompting, PromptFormer)
        # The same draw at every client, so that the first average of LoRA factors is meaningful.
        prompting.start_lora(generator(config.run.seed, "lora"))


method = Method(
    name="fedmvp",
    paper="FedMVP (ICCV 2025)",
    prompting=build_promptformer,
    objective=fedmvp_objective,
    next_phase=next_phase,
    begin_phase=begin_phase,
)
