"""FedProx: the penalty and its gradient by the formula, and what mu does to a round."""

from collections.abc import Callable

import pytest
import torch
from plain_head import PlainHead
from prepared import NAMES, prepared
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.prompting.promptformer import LORA
from fedmvp_core.terms import configured_terms
from fedmvp_core.terms.fedprox import FedProxOptions, penalty
from fedmvp_core.training import TrainingResult, train_locally

Make = Callable[..., RunConfig]


def fedmvp(backbone: Backbone, config: RunConfig) -> Prompting:
    return find_method(config).build_prompting(backbone, NAMES)


@pytest.mark.parametrize("phase", [FULL, LORA])
def test_the_gradient_is_mu_times_the_way_from_what_was_received(
    tiny_backbone: Backbone, default_config: Make, phase: str
) -> None:
    prompting = fedmvp(tiny_backbone, default_config())
    received = prompting.prompt_tensors()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in prompting.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
    trained = set(prompting.phase_tensors(phase))
    for name, parameter in prompting.named_parameters():
        parameter.requires_grad_(name in trained)
    model = LocalModel(
        tiny_backbone, prompting, prepared(tiny_backbone, 2), LocalRound(1, phase, received)
    )
    found = penalty(FedProxOptions(mu=0.3), model)
    found.backward()
    squares = 0.0
    for name, parameter in prompting.named_parameters():
        if name not in trained:
            assert parameter.grad is None, name
            continue
        moved = parameter.detach().double() - received[name].double()
        squares += float(moved.square().sum())
        torch.testing.assert_close(parameter.grad.double(), 0.3 * moved, rtol=1e-5, atol=1e-8)
    assert float(found.detach()) == pytest.approx(0.3 / 2 * squares, rel=1e-5)


def trained(
    backbone: Backbone, config: RunConfig, terms: list[tuple[str, str]]
) -> tuple[dict[str, Tensor], dict[str, Tensor], TrainingResult]:
    """Prompt tensors before and after a round, and what it measured."""
    prompting = fedmvp(backbone, config)
    before = prompting.prompt_tensors()
    result = train_locally(
        backbone,
        prompting,
        find_method(config),
        prepared(backbone, 7),
        config,
        LocalRound(received=before),
        configured_terms(terms),
    )
    return before, prompting.prompt_tensors(), result


def test_without_mu_the_bits_are_those_without_the_term(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(batch_size=3)
    _, plain, without = trained(tiny_backbone, config, [])
    before, found, result = trained(tiny_backbone, config, [("fedprox", "mu=0")])
    assert all(torch.equal(value, plain[name]) for name, value in found.items())
    assert any(not torch.equal(value, before[name]) for name, value in found.items())
    assert result.steps == {**without.steps, "fedprox": [0.0] * 6}
    assert (result.exchanged, result.kept) == ({}, {"fedprox": {}})


@pytest.mark.parametrize("mu", [0.5, 5.0])
def test_a_round_is_that_of_the_plain_formula(
    tiny_backbone: Backbone, default_config: Make, mu: float
) -> None:
    """w <- w - rate * (g(w) + mu * (w - w_received)), and so nearer to what was received."""
    config = default_config(
        method="paft", objective="cross-entropy", momentum=0.0, weight_decay=0.0,
        local_epochs=4, batch_size=100, learning_rate=0.1,
    )  # fmt: skip
    before, after, result = trained(tiny_backbone, config, [("fedprox", f"mu={mu}")])
    head = PlainHead(tiny_backbone, prepared(tiny_backbone, 7))
    received = before["offsets"].double()
    expected, free, distances = received.clone(), received.clone(), []
    for _ in range(4):
        distances.append(mu / 2 * float((expected - received).square().sum()))
        expected -= 0.1 * (head.gradient(expected) + mu * (expected - received))
        free -= 0.1 * head.gradient(free)
    close = {"rtol": 1e-3, "atol": 1e-5 * float(expected.abs().max())}
    torch.testing.assert_close(after["offsets"].double(), expected, **close)
    assert result.steps["fedprox"] == pytest.approx(distances, rel=1e-3, abs=1e-12)
    assert 0 < (expected - received).norm() < 0.95 * (free - received).norm()
