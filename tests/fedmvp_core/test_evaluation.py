"""Class probabilities and right answers."""

from collections.abc import Callable

import pytest
import torch
from prepared import random_images, small_task

from fedmvp_core import evaluation
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.evaluation import predict_probabilities, zero_shot_probabilities
from fedmvp_core.logits import cosine_logits
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.measures import correct
from fedmvp_core.tasks import EncodedTask, encode_task


@pytest.fixture
def task(tiny_backbone: Backbone, memory_cache: FeatureCache) -> EncodedTask:
    return encode_task(tiny_backbone, small_task(), memory_cache)


def test_correct() -> None:
    probabilities = torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]])
    assert correct(probabilities, torch.tensor([1, 1, 1])).tolist() == [True, False, True]


def test_zero_shot_is_the_frozen_model(tiny_backbone: Backbone, task: EncodedTask) -> None:
    images = random_images(5).images
    found = predict_probabilities(tiny_backbone, None, task, images)
    with torch.no_grad():
        frozen = tiny_backbone.encode_image(images, normalize=True)
        text = tiny_backbone.encode_text(["a cat.", "a dog.", "a cow."], normalize=True)
    expected = (tiny_backbone.logit_scale * frozen @ text.T).softmax(-1)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(-1), torch.ones(5))
    torch.testing.assert_close(zero_shot_probabilities(tiny_backbone, task, frozen), expected)


def test_prompts_are_used(
    tiny_backbone: Backbone, task: EncodedTask, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config()
    prompting = find_method(config).build_prompting(tiny_backbone, ())
    images = random_images(5).images
    found = predict_probabilities(tiny_backbone, prompting, task, images)
    with torch.no_grad():
        expected = cosine_logits(prompting(tiny_backbone, images, task), tiny_backbone.logit_scale)
    torch.testing.assert_close(found, expected.softmax(-1))
    assert not found.requires_grad


def test_batches_do_not_matter(
    tiny_backbone: Backbone,
    task: EncodedTask,
    default_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = default_config()
    prompting = find_method(config).build_prompting(tiny_backbone, ())
    images = random_images(7).images
    whole = predict_probabilities(tiny_backbone, prompting, task, images)
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 3)
    parts = predict_probabilities(tiny_backbone, prompting, task, images)
    torch.testing.assert_close(whole, parts, rtol=0, atol=1e-5)


def test_uint8_and_float_pictures_agree(tiny_backbone: Backbone, task: EncodedTask) -> None:
    images = random_images(2).images
    one = predict_probabilities(tiny_backbone, None, task, images)
    other = predict_probabilities(tiny_backbone, None, task, images / 255)
    torch.testing.assert_close(one, other)
