"""Local training against a loop written out by hand."""

import math
from collections.abc import Callable

import pytest
import torch
from predicting_model import PredictingModel
from prepared import prepared, random_images, small_task
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import FedMVPError
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import prepare_shard
from fedmvp_core.logits import cosine_logits
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.objectives import Batch, Loss, Objective
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.prompting.promptformer import LORA
from fedmvp_core.seeding import generator
from fedmvp_core.training import (
    TrainingResult,
    learning_rate,
    train_locally,
)

IMAGES, BATCH = 7, 3  # two whole batches and one image left over


def start(backbone: Backbone, config: RunConfig) -> tuple[ConfiguredMethod, Prompting]:
    method = find_method(config)
    return method, method.build_prompting(backbone, ())


def trained(
    backbone: Backbone,
    config: RunConfig,
    round_number: int = 1,
    phase: str = FULL,
    partition_id: int = 0,
    prompting: Prompting | None = None,
) -> tuple[TrainingResult, Prompting]:
    method, fresh = start(backbone, config)
    shard = prepared(backbone, IMAGES, partition_id)
    used = prompting or fresh
    result = train_locally(backbone, used, method, shard, config, LocalRound(round_number, phase))
    return result, used


def by_hand(
    backbone: Backbone, prompting: Prompting, config: RunConfig, round_number: int
) -> list[float]:
    """SGD with momentum and weight decay written out; returns the losses of all steps."""
    shard = prepared(backbone, IMAGES)
    objective = find_method(config).loss()
    parameters = [p for n, p in prompting.named_parameters() if not n.startswith("lora.")]
    velocity: list[Tensor | None] = [None] * len(parameters)  # fresh in each round
    rate = (
        config.training.learning_rate
        * (1 + math.cos(math.pi * (round_number - 1) / config.federation.rounds))
        / 2
    )
    draw = generator(config.run.seed, "local training", round_number, 0)

    def predict(images: Tensor) -> tuple[object, Tensor]:
        features = prompting(backbone, images, shard.task)
        return features, cosine_logits(features, backbone.logit_scale)

    losses = []
    for _ in range(config.training.local_epochs):
        order = torch.randperm(IMAGES, generator=draw)
        mirrored = torch.rand(IMAGES, generator=draw) < 0.5
        for start in range(0, IMAGES, BATCH):
            rows, flips = order[start : start + BATCH], mirrored[start : start + BATCH].long()
            batch = Batch(
                shard.images[rows] / 255,
                shard.labels[rows],
                shard.frozen_views[flips, rows],
                torch.zeros(len(rows), 3),
                shard.images[rows] / 255,
            )
            loss = objective(PredictingModel(predict), batch).value
            losses.append(loss.item())
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
                    step = gradient.add(parameter, alpha=config.training.weight_decay)
                    before = velocity[i]
                    velocity[i] = (
                        step if before is None else before * config.training.momentum + step
                    )
                    parameter.sub_(velocity[i], alpha=rate)
    return losses


def test_every_batch_is_a_step(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(batch_size=BATCH, local_epochs=2, rounds=4, learning_rate=0.01)
    _, expected = start(tiny_backbone, config)
    _, found = start(tiny_backbone, config)
    for round_number in (1, 2, 4):
        losses = by_hand(tiny_backbone, expected, config, round_number)
        result, _ = trained(tiny_backbone, config, round_number, prompting=found)
        assert len(losses) == 6
        assert result.mean_loss == pytest.approx(sum(losses) / 6, rel=1e-5)
        assert result.last_loss == pytest.approx(losses[-1], rel=1e-5)
        wanted = expected.prompt_tensors()
        for name, value in found.prompt_tensors().items():
            torch.testing.assert_close(value, wanted[name], rtol=0, atol=1e-6, msg=name)
            # The same start for both in the next round, so that differences do not add up.
        expected.load_prompt_tensors(found.prompt_tensors())


def test_learning_rate_is_a_cosine_over_the_rounds(
    default_config: Callable[..., RunConfig],
) -> None:
    config = default_config(rounds=10, learning_rate=0.4)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for round_number in range(1, 11):
        assert learning_rate(config.training, 10, round_number) == pytest.approx(
            schedule.get_last_lr()[0]
        )
        optimizer.step()
        schedule.step()


def test_a_warm_up_takes_the_place_of_the_first_rounds(
    default_config: Callable[..., RunConfig],
) -> None:
    training = default_config(learning_rate=0.4, warmup_rounds=2, warmup_rate=1e-5).training
    rates = [learning_rate(training, 4, number) for number in (1, 2, 3, 4)]
    assert rates == pytest.approx([1e-5, 1e-5, 0.2, 0.4 * (1 - math.sqrt(0.5)) / 2])


@pytest.mark.parametrize("phase", [FULL, LORA])
def test_only_the_tensors_of_the_phase_change(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], phase: str
) -> None:
    config = default_config(batch_size=BATCH, method_options="lora-init=normal")
    method, prompting = start(tiny_backbone, config)
    method.begin_phase(prompting, phase)
    before = prompting.prompt_tensors()
    trained(tiny_backbone, config, phase=phase, prompting=prompting)
    after = prompting.prompt_tensors()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(prompting.phase_tensors(phase))


def test_the_backbone_stays_as_it_is(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    before = {name: value.clone() for name, value in tiny_backbone.clip.state_dict().items()}
    trained(tiny_backbone, default_config(batch_size=BATCH, learning_rate=1.0))
    for name, value in tiny_backbone.clip.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, parameter in tiny_backbone.named_parameters():
        assert parameter.grad is None, name
        assert not parameter.requires_grad, name


def test_same_seed_same_bits_and_another_seed_others(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(batch_size=BATCH)
    _, first = trained(tiny_backbone, config)
    torch.rand(5)
    _, again = trained(tiny_backbone, config)
    wanted = first.prompt_tensors()
    assert all(torch.equal(value, wanted[n]) for n, value in again.prompt_tensors().items())
    _, same_start = start(tiny_backbone, config)
    other_draws = default_config(batch_size=BATCH, seed=2)
    _, other = trained(tiny_backbone, other_draws, prompting=same_start)
    assert not torch.equal(other.prompt_tensors()["query.weight"], wanted["query.weight"])


@pytest.mark.parametrize("change", [{"round_number": 2}, {"partition_id": 1}])
def test_rounds_and_clients_draw_other_orders(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], change: dict[str, int]
) -> None:
    orders = []
    config = default_config(batch_size=IMAGES, rounds=10**6)  # the same learning rate
    for how in ({}, change):
        method, prompting = start(tiny_backbone, config)
        seen: list[Tensor] = []

        def spy(model: LocalModel, batch: Batch, seen: list[Tensor] = seen) -> Loss:
            seen.append(batch.images)
            return Loss(model.predict(batch.images)[1].sum(), {})

        shard = prepared(tiny_backbone, IMAGES, how.get("partition_id", 0))
        method.objective = Objective("spied", "", lambda options, spy=spy: spy)
        this_round = LocalRound(how.get("round_number", 1))
        train_locally(tiny_backbone, prompting, method, shard, config, this_round)
        orders.append(seen[0])
    assert not torch.equal(orders[0], orders[1])
    pixels = [order.flatten(1).sum(1).sort().values for order in orders]
    torch.testing.assert_close(pixels[0], pixels[1])


def test_a_loss_that_is_not_finite_names_client_round_and_step(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(batch_size=BATCH)
    _, prompting = start(tiny_backbone, config)
    prompting.load_prompt_tensors({"attention_output.bias": torch.full((128,), float("nan"))})
    with pytest.raises(FedMVPError, match="loss of client 3 is nan at step 1 of round 5"):
        trained(tiny_backbone, config, 5, partition_id=3, prompting=prompting)


def test_a_method_without_objective_cannot_be_trained(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(FedMVPError, match="method 'zs-clip' trains nothing"):
        trained(tiny_backbone, default_config(method="zs-clip"))


def test_frozen_views_are_of_the_images_and_of_their_mirror_images(
    tiny_backbone: Backbone,
) -> None:
    shard = prepared(tiny_backbone, 4)
    images = random_images(4).images
    assert shard.frozen_views.shape == (2, 4, 128)
    for view, pixels in ((0, images), (1, torch.flip(images, dims=(3,)))):
        with torch.no_grad():
            expected = tiny_backbone.encode_image(pixels, normalize=True)
        torch.testing.assert_close(shard.frozen_views[view], expected)


def test_preparing_again_encodes_nothing(tiny_backbone: Backbone) -> None:
    images, cache = random_images(4), FeatureCache(None)
    shard = Shard(0, images, images, small_task())
    prepare_shard(tiny_backbone, shard, cache)
    assert tiny_backbone.encoded == {"images": 8, "sentences": 9}
    prepare_shard(tiny_backbone, shard, cache)
    assert tiny_backbone.encoded == {"images": 8, "sentences": 9}


def test_training_encodes_nothing_frozen(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(batch_size=BATCH, local_epochs=3)
    method, prompting = start(tiny_backbone, config)
    shard = prepared(tiny_backbone, IMAGES)
    tiny_backbone.encoded.clear()
    train_locally(tiny_backbone, prompting, method, shard, config, LocalRound())
    assert tiny_backbone.encoded == {"prompted_images": 3 * IMAGES}
