"""PromptFormer's prompts beside deep coupled ones, against the towers written out by hand."""

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_image_features, plain_text_features
from torch import Tensor

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.coupled import CoupledPrompts
from fedmvp_core.prompting.coupled_promptformer import CoupledPromptFormer
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from fedmvp_core.tasks import EncodedTask


@pytest.fixture
def module(tiny_backbone: Backbone) -> CoupledPromptFormer:
    torch.manual_seed(0)
    widths = tiny_backbone.image_width, tiny_backbone.text_width
    coupled = CoupledPrompts(*widths, length=2, depth=3, coupling="text-to-image", placeholders=2)
    with torch.no_grad():
        for parameter in coupled.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return CoupledPromptFormer(PromptFormer(*widths, prompt_length=4), coupled)


@pytest.fixture
def task(tiny_backbone: Backbone) -> EncodedTask:
    return encoded(tiny_backbone, "cat", "dog", "cow")


@torch.no_grad()
def test_deeper_prompts_replace_the_coupled_ones_alone(
    tiny_backbone: Backbone, module: CoupledPromptFormer, task: EncodedTask
) -> None:
    images = torch.rand(2, 3, 64, 64)
    patches = tiny_backbone.embed_patches(images)[:, 1:]
    made = module.promptformer.prompts(patches, task.attribute_features)
    deep = module.coupled.image_prompts()
    shallow = torch.stack([torch.cat([deep[0], own]) for own in made])
    prompts: dict[int, Tensor] = {0: shallow, 1: deep[1], 2: deep[2]}
    plain = plain_image_features(tiny_backbone, images, prompts)
    found = module.image_features(tiny_backbone, images, task)
    torch.testing.assert_close(found, plain / plain.norm(dim=-1, keepdim=True), rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_class_is_the_mean_of_its_prompted_and_its_frozen_feature(
    tiny_backbone: Backbone, module: CoupledPromptFormer, task: EncodedTask
) -> None:
    tokens = tiny_backbone.tokenize(placeholder_sentences(2, ["a cat.", "a dog.", "a cow."]))
    plain = plain_text_features(tiny_backbone, tokens, module.coupled.text_prompts())
    prompted = plain / plain.norm(dim=-1, keepdim=True)
    found = module.class_features(tiny_backbone, task)
    torch.testing.assert_close(found, (prompted + task.class_features) / 2, rtol=0, atol=1e-5)


def test_the_lora_phase_is_that_of_promptformer(module: CoupledPromptFormer) -> None:
    full, lora = module.phase_tensors(FULL), module.phase_tensors(LORA)
    assert sorted(full + lora) == sorted(module.prompt_tensors())
    assert lora == tuple(f"promptformer.{n}" for n in module.promptformer.phase_tensors(LORA))
    assert list(full) == [name for name in module.prompt_tensors() if name in full]


@torch.no_grad()
def test_its_attention_is_that_of_promptformer(
    tiny_backbone: Backbone, module: CoupledPromptFormer, task: EncodedTask
) -> None:
    images = torch.rand(1, 3, 64, 64)
    found = module.attention(tiny_backbone, images, task)
    assert torch.equal(found, module.promptformer.attention(tiny_backbone, images, task))
