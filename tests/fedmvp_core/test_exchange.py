"""Which tensors travel: never a personal one, and what client terms exchange beside them."""

import pytest
import torch
from personal_frame import HALF, PersonalFrame
from run_configs import run_config

from fedmvp_core.errors import ConfigError
from fedmvp_core.exchange import kept_by_clients, prompt_part, sent_in, travelling_tensors
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from fedmvp_core.terms import configured_terms

WIDTH = 8
SCAFFOLD = configured_terms([("scaffold", "")])
BOTH = configured_terms([("fedprox", "mu=0.5"), ("scaffold", "")])


def test_without_terms_all_but_personal_tensors_travel() -> None:
    module = PersonalFrame(WIDTH)
    tensors = travelling_tensors(module)
    assert list(tensors) == ["shared", "other"]
    assert torch.equal(tensors["shared"], module.shared)
    assert not any(value.requires_grad for value in tensors.values())
    tensors["shared"].zero_()
    assert module.shared.any(), "what travels is a copy"


def test_terms_exchange_tensors_for_what_travels_and_begin_at_zero() -> None:
    tensors = travelling_tensors(PersonalFrame(WIDTH), BOTH)
    added = ["term/scaffold/shared", "term/scaffold/other"]
    assert list(tensors) == ["shared", "other", *added]
    for name in added:
        assert tensors[name].shape == (WIDTH,)
        assert not tensors[name].any()


@pytest.mark.parametrize("terms", [[], SCAFFOLD, BOTH])
@pytest.mark.parametrize("phase", [FULL, HALF])
def test_no_personal_tensor_is_sent_in_any_phase(terms: list, phase: str) -> None:
    module = PersonalFrame(WIDTH)
    sent = sent_in(module, terms, phase)
    prompts = ("shared", "other") if phase == FULL else ("shared",)
    assert sent == prompts + tuple(f"term/scaffold/{n}" for n in prompts if terms)
    assert set(sent) <= set(travelling_tensors(module, terms))


def test_a_phase_sends_what_it_trains_and_the_terms_tensors_for_it() -> None:
    module = PromptFormer(WIDTH, 6, heads=2, lora_rank=2)
    lora = module.phase_tensors(LORA)
    assert sent_in(module, [], LORA) == lora
    assert sent_in(module, SCAFFOLD, LORA) == lora + tuple(f"term/scaffold/{n}" for n in lora)
    every = {*sent_in(module, SCAFFOLD, LORA), *sent_in(module, SCAFFOLD, FULL)}
    assert every == set(travelling_tensors(module, SCAFFOLD))


def test_the_modules_own_part_of_what_travels() -> None:
    module = PersonalFrame(WIDTH)
    tensors = travelling_tensors(module, SCAFFOLD)
    assert list(prompt_part(tensors, module)) == ["shared", "other"]


def test_a_module_without_tensors_sends_nothing() -> None:
    assert travelling_tensors(NoPrompts(), BOTH) == {}
    assert sent_in(NoPrompts(), BOTH, FULL) == ()


def test_a_personal_tensor_that_is_not_there_is_refused() -> None:
    module = PersonalFrame(WIDTH, personal=("own", "mine", "ours"))
    with pytest.raises(ConfigError, match="PersonalFrame calls mine, ours personal; its prompt te"):
        travelling_tensors(module)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "; fraction-evaluate above 0 measures clients with what they keep"),
        ({"fraction_evaluate": 0.5}, ""),
        (
            {"fraction_evaluate": 0.5, "fraction_train": 0.5},
            ", and so are clients measured that have not trained yet",
        ),
    ],
)
def test_what_clients_keep_is_said(keys: dict[str, float], said: str) -> None:
    config = run_config(method="fedotp", **keys)
    start = "clients keep own of method 'fedotp' to themselves, so that all but clients test what"
    assert kept_by_clients(PersonalFrame(WIDTH), config) == f"{start} they began as{said}"
    assert kept_by_clients(NoPrompts(), config) == ""
