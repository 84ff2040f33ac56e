"""One client that holds all the data is centralised training: compared with a plain loop."""

import math
from collections.abc import Callable

import pytest
import torch
from federation_harness import final_tensors, run_federation
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shots import draw_shots
from fedmvp_core.methods import find_method
from fedmvp_core.seeding import generator
from fedmvp_core.tasks import encode_task

ALPHA = 3.0  # weight of FedMVP's consistency loss


def train_centrally(
    backbone: Backbone, config: RunConfig, lora_from: int, one_optimizer: bool = False
) -> dict[str, Tensor]:
    """Plain minibatch SGD over all the training images: no client, no message, no average.

    one_optimizer: one for all rounds, as FedMVP's released client has it, instead of one a round.
    """
    setting = load_setting(config, backbone.image_size)
    names = setting.train.class_names
    held = draw_shots(setting.train, config.data.shots, config.run.seed, 0)
    images, labels = held.images, held.labels
    task = encode_task(backbone, setting.make_task(names), FeatureCache(None))
    prompting = find_method(config).build_prompting(backbone, ())
    with torch.no_grad():
        plain = backbone.encode_image(images, normalize=True)
        mirrored = backbone.encode_image(images.flip(-1), normalize=True)
    for round_number in range(1, config.federation.rounds + 1):
        lora = round_number >= lora_from
        trained = [p for n, p in prompting.named_parameters() if n.startswith("lora.") == lora]
        cosine = 0.5 * (1 + math.cos(math.pi * (round_number - 1) / config.federation.rounds))
        rate = config.training.learning_rate * cosine
        if round_number <= config.training.warmup_rounds:
            rate = config.training.warmup_rate
        if round_number == 1 or not one_optimizer:
            params = prompting.parameters() if one_optimizer else trained
            optimizer = torch.optim.SGD(params, rate, config.training.momentum, weight_decay=1e-5)
        optimizer.param_groups[0]["lr"] = rate
        draw = generator(config.run.seed, "local training", round_number, 0)
        for _ in range(config.training.local_epochs):
            order = torch.randperm(len(labels), generator=draw)
            mirror = torch.rand(len(labels), generator=draw) < 0.5
            for start in range(0, len(labels), config.training.batch_size):
                rows = order[start : start + config.training.batch_size]
                flip = mirror[start : start + config.training.batch_size]
                target = torch.where(flip[:, None], mirrored[rows], plain[rows])
                tokens = backbone.embed_patches(images[rows])
                prompts = prompting.prompts(tokens[:, 1:], task.attribute_features)
                features = F.normalize(backbone.encode_tokens(tokens, {0: prompts}), dim=-1)
                logits = backbone.logit_scale * features @ task.class_features.T
                consistency = (1 - F.cosine_similarity(features, target, dim=-1)).mean()
                loss = F.cross_entropy(logits, labels[rows]) + ALPHA * consistency
                prompting.zero_grad()
                loss.backward(inputs=trained)
                optimizer.step()
    return prompting.prompt_tensors()


@pytest.mark.parametrize(
    ("threshold", "lora_from"), [(0.0, 99), (1e9, 2)], ids=["full phase", "LoRA from round 2"]
)
@pytest.mark.parametrize(
    ("keeps", "warmup"), [(False, 0), (True, 0), (True, 1)], ids=["afresh", "kept", "warm-up"]
)
def test_one_client_is_centralised_training(
    small_run: Callable[..., RunConfig],
    tiny_backbone: Backbone,
    threshold: float,
    lora_from: int,
    keeps: bool,
    warmup: int,
) -> None:
    config = small_run(
        rounds=3,
        keep_momentum=keeps,
        warmup_rounds=warmup,
        warmup_rate=0.003,
        local_epochs=2,
        evaluate_every=9,
        batch_size=5,
        **{"method.lora-threshold": threshold, "objective.alpha": ALPHA},
    )
    grid = run_federation(config, clients=1)
    expected = train_centrally(tiny_backbone, config, lora_from, one_optimizer=keeps)
    found = final_tensors(config)
    assert not any(reply.has_error() for reply in grid.replies)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    initial = find_method(config).build_prompting(tiny_backbone, ()).prompt_tensors()
    moved = {name for name in initial if not torch.equal(found[name], initial[name])}
    assert any(name.startswith("lora.") for name in moved) == (lora_from == 2)
    assert any(not name.startswith("lora.") for name in moved)
