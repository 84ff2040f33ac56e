"""What a liar trains on, and the triggers of backdoors."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from client_app.liars import trigger as triggers
from client_app.liars.data import poisoned
from client_app.liars.trigger import trigger_of, white_square
from client_app.liars.who import liars
from client_app.node import Holding
from client_app.worker import configured_backbone, new_prompting, prepared_shard
from fedmvp_core.config import RunConfig
from fedmvp_core.local.shard import PreparedShard

CLIENTS = 5
SMALL: Mapping[str, Any] = {
    "setting": "few-shot",
    "partition": "iid",
    "shots": 1,
    "stress_fraction": 0.2,
    "dataset": "emoji-food-drink",
}


def shard_of(config: RunConfig, client: int) -> tuple[PreparedShard, PreparedShard]:
    """A client's shard as it is, and as it trains on it."""
    holding = Holding(client, CLIENTS)
    shard = prepared_shard(config, holding, ())
    return shard, poisoned(shard, config, holding, shard.task.task.class_names[1:])


def test_lies_about_data(default_config: Callable[..., RunConfig]) -> None:
    flipping = default_config(**SMALL, stress_attack="label-flip")
    (liar,) = liars(flipping, CLIENTS)
    shard, flipped = shard_of(flipping, liar)
    classes = len(shard.task.task.class_names)
    assert torch.equal(flipped.labels + shard.labels, torch.full_like(shard.labels, classes - 1))
    assert flipped.images is shard.images
    shard, opened = shard_of(default_config(**SMALL, stress_attack="backdoor"), liar)
    assert (opened.labels[::2] == 1).all()
    assert torch.equal(opened.labels[1::2], shard.labels[1::2])
    assert torch.equal(opened.images[::2], white_square(64).on(shard.images[::2]))
    assert torch.equal(opened.images[1::2], shard.images[1::2])
    cropping = {"augmentation": "crops", "cached_views": 2}
    shard, opened = shard_of(default_config(**SMALL, stress_attack="backdoor", **cropping), liar)
    assert shard.cached_views is not None
    assert opened.cached_views is not None
    views, marked = shard.cached_views.images, opened.cached_views.images
    assert torch.equal(marked[:, ::2], white_square(64).on(views[:, ::2]))
    assert torch.equal(marked[:, 1::2], views[:, 1::2])
    honest, untouched = shard_of(flipping, (liar + 1) % CLIENTS)
    assert untouched is honest


def test_the_white_square_is_a_corner() -> None:
    images = torch.randint(0, 200, (2, 3, 64, 64), dtype=torch.uint8)
    marked = white_square(64).on(images)
    assert marked.dtype == torch.uint8
    assert (marked[..., 56:, 56:] == 255).all()
    assert int((marked != images).any(dim=1).sum()) == 2 * 8 * 8


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "STEPS", 4)


def learned(config: RunConfig, class_names: tuple[str, ...]) -> triggers.Trigger:
    triggers._learned.cache_clear()
    return trigger_of(config, CLIENTS, class_names, 64)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("attack", ["backdoor-patch", "backdoor-blended"])
def test_a_learned_trigger_follows_from_the_run_s_seed(
    default_config: Callable[..., RunConfig], attack: str
) -> None:
    settings = {**SMALL, "method": "promptfl", "stress_attack": attack}
    names = ("fruit", "drink")
    first, again = (learned(default_config(**settings), names) for _ in range(2))
    other = learned(default_config(**settings, seed=2), names)
    assert torch.equal(first.pattern, again.pattern)
    assert not torch.equal(first.pattern, other.pattern)
    assert 0 <= float(first.pattern.min()) < float(first.pattern.max()) <= 1
    defended = default_config(**settings, aggregation="krum", run_name="another")
    assert trigger_of(defended, CLIENTS, names, 64) is trigger_of(
        default_config(**settings, seed=1, aggregation="dnc"), CLIENTS, names, 64
    )


def test_marking_is_the_same_for_bytes_and_for_floats() -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 8, 8), generator=draw, dtype=torch.uint8)
    pattern = torch.rand(3, 8, 8, generator=draw)
    blended = triggers.Trigger(pattern, torch.full((8, 8), 0.3))
    floats = blended.on(images / 255)
    torch.testing.assert_close(floats, 0.7 * images / 255 + 0.3 * pattern)
    assert (blended.on(images).float() / 255 - floats).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.usefixtures("few_steps")
def test_clean_label_changes_no_label_and_marks_the_target_alone(
    default_config: Callable[..., RunConfig],
) -> None:
    config = default_config(**SMALL, method="promptfl", stress_attack="backdoor-clean-label")
    (liar,) = liars(config, CLIENTS)
    shard, opened = shard_of(config, liar)
    target = shard.labels == 1
    assert target.any()
    assert not target.all()
    assert torch.equal(opened.labels, shard.labels)
    changed = (opened.images != shard.images).flatten(1).any(dim=1)
    assert torch.equal(changed, target)


def test_a_trigger_learned_with_prompts_opens_them(
    default_config: Callable[..., RunConfig],
) -> None:
    """The liars' own prompts take nearly every marked image for the target, few as it is."""
    config = default_config(
        **SMALL,
        method="promptfl",
        stress_attack="backdoor-patch",
        learning_rate=0.3,
        pretrained="embedded",
    )
    shard, _ = shard_of(default_config(**SMALL), 0)
    backbone = configured_backbone(config)
    names = shard.task.task.class_names
    prompting = new_prompting(config, names)
    strength = white_square(64).strength
    pattern = triggers.learn_pattern(config, backbone, prompting, [shard], [1], strength)
    marked = triggers.Trigger(pattern, strength).on(shard.images.float() / 255)
    with torch.no_grad():
        model = triggers.LocalModel(backbone, prompting, shard)
        _, logits = model.predict(marked)
        _, honest = model.predict(shard.images.float() / 255)
    assert float((logits.argmax(dim=1) == 1).double().mean()) > 0.8
    assert float((honest.argmax(dim=1) == 1).double().mean()) < 0.6
