"""Logits of tasks with one class an image, and of tasks where every class is a yes or no."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from prepared import NAMES, prepared, small_task
from small_scenes import CLASSES, small_scenes
from torch import Tensor

from fedmvp_core.adversarial.losses import cross_entropy
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import FedMVPError
from fedmvp_core.evaluation import (
    alignment,
    evaluate_under_attack,
    predict_probabilities,
    zero_shot_probabilities,
)
from fedmvp_core.local.attack import pgd_attack
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.logits import class_logits, label_logits, probabilities
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import Features
from fedmvp_core.tasks import EncodedTask, Task, encode_task
from fedmvp_core.training import train_locally

Make = Callable[..., RunConfig]


def task_of(names: tuple[str, ...]) -> Task:
    bare: tuple[tuple[str, ...], ...] = tuple(() for _ in names)
    return Task(names, bare, "a {class}.", "a {class}, {attribute}.", multi_label=True)


def shard_of(
    backbone: Backbone, images: ImageSet, attacked: tuple[str, ...] = CLASSES
) -> PreparedShard:
    shard = Shard(0, images, images, task_of(images.class_names))
    return prepare_shard(backbone, shard, FeatureCache(None), task_of(attacked))


@pytest.mark.parametrize("multi_label", [False, True])
def test_everyone_asks_for_the_same_scores(
    tiny_backbone: Backbone, default_config: Make, multi_label: bool
) -> None:
    task = dataclasses.replace(small_task(), multi_label=multi_label)
    encoded = encode_task(tiny_backbone, task, FeatureCache(None))
    shard = dataclasses.replace(prepared(tiny_backbone, 4), task=encoded, attack_task=encoded)
    config = default_config(method="capt")
    prompting = find_method(config).build_prompting(tiny_backbone, NAMES)
    model = LocalModel(tiny_backbone, prompting, shard)
    images = shard.images / 255
    features, logits = model.predict(images)
    scale = tiny_backbone.logit_scale
    expected = scale * features.image_features @ features.class_features.T
    if multi_label:
        expected = label_logits(features.image_features, features.class_features, scale)
    assert torch.equal(logits, expected)
    assert torch.equal(model.attacked_logits(images), logits)
    found = predict_probabilities(tiny_backbone, prompting, encoded, shard.images)
    wanted = expected.sigmoid() if multi_label else expected.softmax(-1)
    torch.testing.assert_close(found, wanted.detach())
    frozen = Features(shard.frozen_views[0], encoded.zero_shot_features)
    plain = zero_shot_probabilities(tiny_backbone, encoded, shard.frozen_views[0])
    assert torch.equal(plain, probabilities(frozen, encoded, scale))


def encoded_scenes(backbone: Backbone) -> EncodedTask:
    return encode_task(backbone, task_of(CLASSES), FeatureCache(None))


def test_the_classes_common_direction_is_trained_with_them(tiny_backbone: Backbone) -> None:
    task = encoded_scenes(tiny_backbone)
    images = torch.nn.functional.normalize(torch.randn(3, task.class_features.shape[1]), dim=-1)
    classes = task.class_features.clone().requires_grad_()
    logits = class_logits(Features(images, classes), task, tiny_backbone.logit_scale)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), classes)
    assert (gradient[1:].abs().amax(dim=1) > 0).all()


def test_an_attack_on_more_classes_leaves_those_alone_that_the_client_does_not_label(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    images = small_scenes(6, 1).of_classes(("green", "red"))
    shard = shard_of(tiny_backbone, images)
    labels = shard.attack_labels(shard.labels)
    assert labels[:, [1, 3]].equal(images.labels)
    assert (labels[:, [0, 2]] == -1).all()
    config = default_config(method="fedmvp-capt", epsilon="8/255", attack_steps=3)
    prompting = find_method(config).build_prompting(tiny_backbone, CLASSES)
    model, clean = LocalModel(tiny_backbone, prompting, shard), shard.images / 255
    with torch.no_grad():
        draw = torch.Generator().manual_seed(0)
        with torch.enable_grad():
            found = pgd_attack(config.attack)(model, clean, labels, draw)
        before, after = (model.attacked_logits(pixels) for pixels in (clean, found))
    own = [1, 3]
    worse = [cross_entropy(logits[:, own], images.labels).sum() for logits in (before, after)]
    assert worse[1] > worse[0]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("fedmvp", {"objective.alpha": 0}),
        ("apt", {"method.attack-prompt": "perturbed"}),
        ("fap", {}),
    ],
)
def test_a_shard_without_a_known_label_teaches_nothing(
    tiny_backbone: Backbone, default_config: Make, method: str, options: dict[str, Scalar]
) -> None:
    """Nothing but consistency with other predictions is left, and that is switched off."""
    images = small_scenes(4, 1, unknown=1.0)
    assert (images.labels == -1).all()
    config = default_config(
        method=method, weight_decay=0.0, local_epochs=1, attack_steps=1, **options
    )
    chosen = find_method(config)
    prompting = chosen.build_prompting(tiny_backbone, CLASSES)
    before = prompting.prompt_tensors()
    shard = shard_of(tiny_backbone, images)
    result = train_locally(tiny_backbone, prompting, chosen, shard, config, LocalRound())
    moved = {n for n, value in prompting.prompt_tensors().items() if not value.equal(before[n])}
    if method == "fap":  # its divergence looks at no label
        assert moved
    else:
        assert result.steps["loss"] == [0.0]
        assert not moved


def test_a_client_of_one_class_is_refused(tiny_backbone: Backbone, default_config: Make) -> None:
    config = default_config()
    method = find_method(config)
    prompting = method.build_prompting(tiny_backbone, CLASSES)
    shard = shard_of(tiny_backbone, small_scenes(4, 1).of_classes(("red",)))
    with pytest.raises(FedMVPError, match="client 0 holds images of 'red' alone"):
        train_locally(tiny_backbone, prompting, method, shard, config, LocalRound())


def test_alignment_is_with_the_labels_that_are_there() -> None:
    features = Features(torch.eye(3), torch.tensor([[2.0, 0, 0], [0, 1, 0], [3, 4, 0]]))
    labels = torch.tensor([[1, 0, 1], [0, 1, -1], [0, 0, -1]])
    found: list[float] = alignment(features, labels).tolist()
    assert found == pytest.approx([(1 + 0.6) / 2, 1.0, float("nan")], nan_ok=True)


def test_what_an_attack_leaves_of_several_labels(tiny_backbone: Backbone) -> None:
    scenes = small_scenes(5, 1, unknown=0.3)
    task = encoded_scenes(tiny_backbone)

    def none(logits_of: object, images: Tensor, labels: Tensor, draw: object) -> Tensor:
        return images

    draw = torch.Generator()
    found = evaluate_under_attack(
        tiny_backbone, None, task, scenes.images, scenes.labels, none, draw
    )
    expected = predict_probabilities(tiny_backbone, None, task, scenes.images)
    assert torch.equal(found.probabilities, expected)
    assert found.adversarial.shape == (0, 3, 64, 64)
    kept = evaluate_under_attack(
        tiny_backbone, None, task, scenes.images, scenes.labels, none, draw, keep_adversarial=True
    )
    assert torch.equal(kept.adversarial, scenes.images.float() / 255)
    wrong = ((expected > 0.5) != (scenes.labels == 1)) & (scenes.labels >= 0)
    assert found.robust.tolist() == (~wrong.any(dim=1)).tolist()
    torch.testing.assert_close(found.alignment, found.attacked_alignment, equal_nan=True)
