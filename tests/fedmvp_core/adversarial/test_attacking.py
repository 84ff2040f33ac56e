"""A model under attack is evaluated, asks for no gradient, and comes back as it was."""

import pytest
from torch import nn

from fedmvp_core.adversarial.perturbation import attack_mode


def mixed_model() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.Linear(2, 2)))
    model.train()
    model[1][0].eval()
    model[0].bias.requires_grad_(False)
    return model


def state(model: nn.Module) -> list[bool]:
    return [part.training for part in model.modules()] + [
        weight.requires_grad for weight in model.parameters()
    ]


def test_modes_and_flags_come_back() -> None:
    models = mixed_model(), mixed_model().eval()
    before = [state(model) for model in models]
    with attack_mode(*models):
        assert not any(any(state(model)) for model in models)
    assert [state(model) for model in models] == before


def test_also_after_an_error_and_when_nested() -> None:
    model = mixed_model()
    before = state(model)
    with pytest.raises(RuntimeError), attack_mode(model), attack_mode(model[1]):
        raise RuntimeError
    assert state(model) == before
