"""PromptFormer and deep coupled prompts side by side: FedMVP's and CAPT's prompts in one model."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.prompting.coupled import CoupledOptions, CoupledPrompts, build_coupled
from fedmvp_core.prompting.promptformer import (
    PromptFormer,
    PromptFormerOptions,
    build_promptformer,
)
from fedmvp_core.prompting.prompting import FULL, Prompting
from fedmvp_core.tasks import EncodedTask, Task


@dataclass(frozen=True)
class CoupledPromptFormerOptions(PromptFormerOptions, CoupledOptions):
    """PromptFormer's, and those of the deep prompts beside it."""

    coupled_prompts: bool = option(False, "CAPT's deep prompts beside PromptFormer's")


class CoupledPromptFormer(Prompting):
    """Image prompts [coupled; PromptFormer's] at the input; deeper ones replace the coupled alone.

    A class is recognised by the mean of its prompted template's feature and its frozen class
    feature. The LoRA phase is PromptFormer's: the coupled prompts are frozen in it.
    """

    def __init__(self, promptformer: PromptFormer, coupled: CoupledPrompts) -> None:
        super().__init__()
        self.promptformer, self.coupled = promptformer, coupled

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        tokens = backbone.embed_patches(images)  # (batch, 1 + patches, width)
        with backbone.autocast():
            patches = self.promptformer.queried(tokens[:, 1:])
            made = self.promptformer.prompts(patches, task.attribute_features)
        prompts = self.coupled.image_prompts()
        shallow = prompts[0].expand(len(tokens), -1, -1)
        both = shallow, made.to(shallow.dtype)
        prompts[0] = torch.cat(both, dim=1)  # (batch, deep_length + m, width)
        return F.normalize(backbone.encode_tokens(tokens, prompts), dim=-1)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d), not of unit length: the logits are the mean of both features' cosines."""
        return (self.coupled.class_features(backbone, task) + task.class_features) / 2

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError as the coupled prompts do."""
        self.coupled.check_task(backbone, task)

    def attention(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """PromptFormer's: (batch, patches, attributes), mean over heads."""
        return self.promptformer.attention(backbone, images, task)

    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        """full: all but LoRA. lora: PromptFormer's LoRA alone."""
        names = [f"promptformer.{name}" for name in self.promptformer.phase_tensors(phase)]
        if phase == FULL:
            names += [f"coupled.{name}" for name, _ in self.coupled.named_parameters()]
        return tuple(names)


def build_coupled_promptformer(
    backbone: Backbone, options: CoupledPromptFormerOptions, words: ClassWords
) -> Prompting:
    """PromptFormer alone, or beside deep prompts; raises ConfigError as the two do."""
    promptformer = build_promptformer(backbone, options, words)
    if not options.coupled_prompts:
        return promptformer
    return CoupledPromptFormer(promptformer, build_coupled(backbone, options, words))
