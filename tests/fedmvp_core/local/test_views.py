"""What steps of local training look at, seen by an objective that keeps its batches."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from prepared import NAMES, random_images, small_task
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.augmentation import random_crops
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.local.views import FROZEN_FEATURES, FROZEN_LOGITS
from fedmvp_core.methods import find_method
from fedmvp_core.objectives import Batch, Loss, Objective
from fedmvp_core.registry import OBJECTIVES, find, names_in
from fedmvp_core.seeding import generator
from fedmvp_core.training import train_locally

IMAGES, BATCH, CLIENT = 7, 3, 2
SEVERAL = torch.tensor([[1, 0, 1], [0, 1, -1], [1, 1, 0]])  # labels of a cat, a dog and a cow
BOTH = (FROZEN_FEATURES, FROZEN_LOGITS)
Make = Callable[..., RunConfig]
Runs = Callable[..., tuple[list[Batch], dict[str, Tensor]]]


def shard_for(
    backbone: Backbone, config: RunConfig, several: bool = False, cache: FeatureCache | None = None
) -> PreparedShard:
    images, task = random_images(IMAGES), small_task()
    if several:
        rest = images.domains, images.names, images.class_names
        images = ImageSet(images.images, SEVERAL[images.labels], *rest)
        task = replace(task, multi_label=True)
    shard = Shard(CLIENT, images, images, task)
    kept = cache or FeatureCache(None)
    return prepare_shard(backbone, shard, kept, None, config.training, config.run.seed)


@pytest.fixture
def run(tiny_backbone: Backbone) -> Runs:
    """Trains one client for a round: the batches that the objective saw, and the tensors."""

    def trained(
        config: RunConfig,
        round: int = 1,
        reads: tuple[str, ...] = BOTH,
        several: bool = False,
    ) -> tuple[list[Batch], dict[str, Tensor]]:
        batches: list[Batch] = []

        def loss(model: LocalModel, batch: Batch) -> Loss:
            batches.append(batch)
            _, logits = model.predict(batch.images)
            return Loss(model.classification_loss(logits, batch.labels), {})

        method = find_method(config)
        method.objective = Objective("seeing", "", lambda options: loss, reads=reads)
        prompting = method.build_prompting(tiny_backbone, NAMES)
        shard = shard_for(tiny_backbone, config, several)
        train_locally(tiny_backbone, prompting, method, shard, config, LocalRound(round))
        return batches, prompting.prompt_tensors()

    return trained


def make_config(make: Make, views: int = 0, **more: Any) -> RunConfig:
    chosen = {"augmentation": "crops", "cached_views": views, "batch_size": BATCH} | more
    return make(**({"method": "promptfl", "local_epochs": 2, "learning_rate": 0.01} | chosen))


def orders(config: RunConfig, round: int = 1) -> list[Tensor]:
    """The rows of all steps; without crops each epoch's coins of x' stand between two orders."""
    draw = generator(config.run.seed, "local training", round, CLIENT)
    steps: list[Tensor] = []
    for _ in range(config.training.local_epochs):
        steps += torch.randperm(IMAGES, generator=draw).split(BATCH)
    return steps


def check_frozen(backbone: Backbone, batch: Batch, x: Tensor, other: Tensor) -> None:
    """x, other: (batch, 3, size, size) uint8; everything encoded one by one."""
    task = small_task()
    with torch.no_grad():
        seen = torch.cat([backbone.encode_image(one[None], normalize=True) for one in x])
        targets = torch.cat([backbone.encode_image(one[None], normalize=True) for one in other])
        words = [task.template.replace("{class}", name) for name in NAMES]
        text = backbone.encode_text(words, normalize=True)
    logits = backbone.logit_scale * seen @ text.T
    torch.testing.assert_close(batch.images, x.float() / 255)
    torch.testing.assert_close(batch.frozen_features, targets, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        batch.frozen_logits / backbone.logit_scale, logits / backbone.logit_scale, rtol=0, atol=1e-5
    )


def test_new_crops_are_drawn_in_each_step(
    run: Runs, default_config: Make, tiny_backbone: Backbone
) -> None:
    config = make_config(default_config)
    batches, _ = run(config, round=2)
    images = random_images(IMAGES)
    draw = generator(config.run.seed, "crops", 2, CLIENT)
    others = generator(config.run.seed, "crops of the other view", 2, CLIENT)
    for batch, rows in zip(batches, orders(config, 2), strict=True):
        x = random_crops(images.images[rows], draw)
        check_frozen(tiny_backbone, batch, x, random_crops(images.images[rows], others))
        assert torch.equal(batch.labels, images.labels[rows])
        assert torch.equal(batch.adversarial, batch.images)
    pictures = torch.cat([batch.images for batch in batches])
    assert len(pictures.unique(dim=0)) == 2 * IMAGES


def test_cached_views_are_drawn_once_and_all_appear(
    run: Runs, default_config: Make, tiny_backbone: Backbone
) -> None:
    config = make_config(default_config, views=3, local_epochs=20)
    draw = generator(config.run.seed, "cached views", 0, CLIENT)
    pictures = random_images(IMAGES)
    views = torch.stack([random_crops(pictures.images, draw) for _ in range(3)])
    features = {}
    for round in (1, 2):  # the same views in every round
        batches, _ = run(config, round=round)
        chosen = generator(config.run.seed, "crops", round, CLIENT)
        pairs = set()
        for batch, rows in zip(batches, orders(config, round), strict=True):
            x, other = torch.randint(3, (2, len(rows)), generator=chosen)
            check_frozen(tiny_backbone, batch, views[x, rows], views[other, rows])
            assert torch.equal(batch.labels, pictures.labels[rows])
            pairs |= set(zip(rows.tolist(), x.tolist(), other.tolist(), strict=True))
        seen = torch.cat([batch.images for batch in batches])
        features[round] = seen.unique(dim=0)
        assert len(features[round]) == 3 * IMAGES
        assert len(pairs) > 6 * IMAGES  # of 9 each: x and x' are drawn apart from each other
    assert torch.equal(features[1], features[2])


@pytest.mark.parametrize("views", [0, 2])
def test_the_same_round_twice_is_equal_and_another_is_not(
    run: Runs, default_config: Make, views: int
) -> None:
    config = make_config(default_config, views)
    (first, tensors), (second, again) = run(config), run(config)
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(again[name], value) for name, value in tensors.items())
    later, _ = run(config, round=2)
    elsewhere, _ = run(config.with_values(seed=config.run.seed + 1))
    assert not torch.equal(first[0].images, later[0].images)
    assert not torch.equal(first[0].images, elsewhere[0].images)


@pytest.mark.parametrize("views", [0, 2])
def test_several_labels(run: Runs, default_config: Make, views: int) -> None:
    config = make_config(default_config, views)
    batches, _ = run(config, several=True)
    labels = SEVERAL[random_images(IMAGES).labels]
    for batch, rows in zip(batches, orders(config), strict=True):
        assert torch.equal(batch.labels, labels[rows])
        assert batch.multi_label
        assert batch.frozen_logits.isfinite().all()


@pytest.mark.parametrize("reads", [(), (FROZEN_FEATURES,), (FROZEN_LOGITS,), BOTH])
def test_the_frozen_model_looks_at_what_the_objective_reads(
    run: Runs, default_config: Make, tiny_backbone: Backbone, reads: tuple[str, ...]
) -> None:
    config = make_config(default_config)
    tiny_backbone.encoded.clear()
    batches, tensors = run(config, reads=reads)
    # Twice at the shard's preparation; by promptfl in each step; and what is read.
    assert tiny_backbone.encoded["images"] == 2 * IMAGES + 2 * IMAGES * (1 + len(reads))
    for batch in batches:
        for name in BOTH:
            held = getattr(batch, name)
            assert held.isfinite().all() if name in reads else held.isnan().all()
    _, whole = run(config)
    assert all(torch.equal(whole[name], value) for name, value in tensors.items())


@pytest.mark.parametrize("name", names_in(OBJECTIVES))
def test_every_objective_says_what_it_reads(
    default_config: Make, tiny_backbone: Backbone, name: str
) -> None:
    """What it does not name is NaN, which no loss would survive."""
    method = {"fedmgp": "fedmgp", "fedpgp": "fedpgp", "fedkgcoop": "fedkgcoop"}.get(name, "fedmvp")
    config = make_config(default_config, method=method, objective=name, local_epochs=1)
    found = find_method(config)
    prompting = found.build_prompting(tiny_backbone, NAMES)
    objective: Objective = find(OBJECTIVES, name)
    assert set(objective.reads) <= set(BOTH)
    for several in (False, True)[: 1 + objective.several_labels]:
        shard = shard_for(tiny_backbone, config, several)
        result = train_locally(tiny_backbone, prompting, found, shard, config, LocalRound())
        assert torch.tensor(result.steps["loss"]).isfinite().all()


def test_the_features_of_cached_views_are_cached(
    default_config: Make, tiny_backbone: Backbone
) -> None:
    config, cache = make_config(default_config, views=3), FeatureCache(None)
    shard_for(tiny_backbone, config, cache=cache)
    assert tiny_backbone.encoded["images"] == (2 + 3) * IMAGES
    shard_for(tiny_backbone, config, cache=cache)
    assert tiny_backbone.encoded["images"] == (2 + 3) * IMAGES


def test_without_crops_no_view_is_cached(default_config: Make, tiny_backbone: Backbone) -> None:
    config = make_config(default_config, views=3, augmentation="none")
    assert shard_for(tiny_backbone, config).cached_views is None


def test_a_shard_that_was_prepared_otherwise_is_refused(
    default_config: Make, tiny_backbone: Backbone
) -> None:
    config = make_config(default_config, views=3)
    shard = shard_for(tiny_backbone, make_config(default_config, views=2))
    method = find_method(config)
    prompting = method.build_prompting(tiny_backbone, NAMES)
    with pytest.raises(ValueError, match="has 2 cached views of a picture; cached-views is 3"):
        train_locally(tiny_backbone, prompting, method, shard, config, LocalRound())
