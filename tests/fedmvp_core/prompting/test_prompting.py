"""What every prompting module offers: prompt tensors out and in, and logits from features."""

import pytest
import torch

from fedmvp_core.errors import WireError
from fedmvp_core.logits import cosine_logits
from fedmvp_core.prompting import FULL, Features
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.prompting.promptformer import PromptFormer


@pytest.fixture
def module() -> PromptFormer:
    return PromptFormer(8, 6, heads=2, lora_rank=2)


def test_prompt_tensors_are_copies_in_the_order_of_the_parameters(module: PromptFormer) -> None:
    tensors = module.prompt_tensors()
    assert list(tensors) == [name for name, _ in module.named_parameters()]
    tensors["query.weight"].zero_()
    assert module.query.weight.any()
    assert not any(value.requires_grad for value in tensors.values())


def test_some_or_all_tensors_can_be_loaded(module: PromptFormer) -> None:
    other = PromptFormer(8, 6, heads=2, lora_rank=2)
    other.load_prompt_tensors(module.prompt_tensors())
    assert all(
        torch.equal(value, module.prompt_tensors()[name])
        for name, value in other.prompt_tensors().items()
    )
    other.load_prompt_tensors({"query.bias": torch.ones(8)})
    assert torch.equal(other.query.bias, torch.ones(8))
    assert torch.equal(other.key.weight, module.key.weight)


def test_unknown_names_and_other_shapes_are_refused(module: PromptFormer) -> None:
    with pytest.raises(WireError, match=r"unknown prompt tensor 'ctx'; known: .*query.weight"):
        module.load_prompt_tensors({"ctx": torch.ones(4)})
    with pytest.raises(WireError, match=r"'query.bias' has shape \(7,\), expected \(8,\)"):
        module.load_prompt_tensors({"query.bias": torch.ones(7)})


def test_logits_are_scaled_dot_products() -> None:
    features = Features(torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0], [0.0, 0.5]]))
    logits = cosine_logits(features, torch.tensor(10.0))
    torch.testing.assert_close(logits, torch.tensor([[6.0, 4.0]]))


def test_a_module_without_parameters_has_no_prompt_tensors() -> None:
    assert NoPrompts().phase_tensors(FULL) == ()
    assert NoPrompts().prompt_tensors() == {}
