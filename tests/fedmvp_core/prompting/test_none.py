"""No prompts: zero-shot CLIP."""

import torch

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.tasks import Task, encode_task


def test_features_are_those_of_the_frozen_model_and_the_plain_template(
    tiny_backbone: Backbone, memory_cache: FeatureCache
) -> None:
    task = Task(("cat", "dog"), (("furry",), ("loyal",)), "a {class}.", "a {class}, {attribute}.")
    encoded = encode_task(tiny_backbone, task, memory_cache)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        features = NoPrompts()(tiny_backbone, images, encoded)
        expected = tiny_backbone.encode_image(images, normalize=True)
        text = tiny_backbone.encode_text(["a cat.", "a dog."], normalize=True)
    torch.testing.assert_close(features.image_features, expected)
    torch.testing.assert_close(features.class_features, text)
