"""The baseline of the papers' code computes what ours computes; it only takes longer."""

import pytest
import torch
from torch import Tensor

from fedmvp_core.adversarial.perturbation import attack_mode, uniform_noise
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.local.attack import attack_radius, attack_step_size, pgd_attack
from fedmvp_core.local.model import LocalModel
from fedmvp_core.methods import find_method
from fedmvp_core.objectives import Batch
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.seeding import generator
from simulations.bench.as_released import PromptNet, Weights
from simulations.bench.inputs import Inputs
from simulations.bench.local import Local, local
from simulations.bench.sizes import chosen_sizes

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def client() -> Local:
    """One client, whose prompt tensors are drawn: at the start most gradients would be 0."""
    made = local(Inputs(chosen_sizes(quick=True, batch=6)))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.own.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=draw))
        for lora in made.own.lora.values():
            lora.up.zero_()
    made.released.net.copy_from(made.own)
    return made


def as_published(own: PromptFormer) -> dict[str, Tensor]:
    """Our gradients, by the baseline's names."""
    net = PromptNet(own.query.in_features, own.project_attributes.in_features, own.heads, 4)
    gradients = {name: parameter.grad for name, parameter in own.named_parameters()}
    with torch.no_grad():
        for name, parameter in own.named_parameters():
            found = gradients[name]
            parameter.copy_(torch.zeros_like(parameter) if found is None else found)
    net.copy_from(own)
    return {name: value.detach() for name, value in net.named_parameters()}


@pytest.mark.parametrize("method", ["fedmvp", "fedmvp-capt"])
def test_loss_and_gradients_are_ours(client: Local, method: str) -> None:
    images, labels = client.images, client.labels
    draw = torch.Generator().manual_seed(2)
    attacked = (images + 0.01 * torch.randn(images.shape, generator=draw)).clamp(0, 1)
    model = LocalModel(client.backbone, client.own, client.shard)
    batch = Batch(
        images, labels, client.shard.frozen_views[1], model.frozen_logits(images), attacked
    )
    client.own.requires_grad_(True).zero_grad()
    ours = find_method(client.config.with_values(method=method)).loss()(model, batch).value
    ours.backward()

    client.released.zero_grad()
    seen = images, images.flip(-1), labels
    if method == "fedmvp":
        theirs = client.released.fedmvp_loss(*seen, Weights())
    else:
        theirs = client.released.fedmvp_capt_loss(*seen, attacked, Weights())
    theirs.backward()

    torch.testing.assert_close(theirs, ours, **CLOSE)
    kept = {name: value.clone() for name, value in client.own.state_dict().items()}
    expected = as_published(client.own)
    client.own.load_state_dict(kept)
    for name, parameter in client.released.net.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.any(), name
        torch.testing.assert_close(parameter.grad, expected[name], **CLOSE, msg=name)


def test_the_attack_is_ours(client: Local) -> None:
    attack = client.config.attack
    model = LocalModel(client.backbone, client.own, client.shard)
    with attack_mode(client.own):
        ours = pgd_attack(attack)(model, client.images, client.labels, generator(3, "attack"))
    theirs = client.released.attack(
        client.images,
        client.labels,
        attack_radius(attack),
        attack_step_size(attack),
        attack.attack_steps,
        uniform_noise(client.images, generator(3, "attack")),
    )
    # The sign of a gradient that is almost 0 may be either.
    assert ((ours - theirs).abs() < 1e-6).float().mean() > 0.999
    assert all(parameter.grad is None for parameter in client.released.net.parameters())


def test_predictions_are_ours(client: Local) -> None:
    ours = predict_probabilities(
        client.backbone, client.own, client.shard.task, client.shard.images
    )
    with torch.no_grad():
        logits, _ = client.released(client.images, client.images)
    torch.testing.assert_close(logits.softmax(dim=-1), ours, **CLOSE)


def test_only_the_prompt_network_is_trained(client: Local) -> None:
    asking = {name for name, p in client.released.named_parameters() if p.requires_grad}
    assert asking == {f"net.{name}" for name, _ in client.released.net.named_parameters()}
