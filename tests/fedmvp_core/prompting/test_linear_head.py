"""A linear head whose rows are offsets to zero-shot features."""

import torch
from method_checks import encoded

from fedmvp_core.backbone import Backbone
from fedmvp_core.evaluation import predict_probabilities, zero_shot_probabilities
from fedmvp_core.logits import cosine_logits
from fedmvp_core.prompting.linear_head import LinearHead


def test_an_untrained_head_is_zero_shot_clip(tiny_backbone: Backbone) -> None:
    task = encoded(tiny_backbone, "cat", "dog", "cow")
    head = LinearHead(tiny_backbone.embed_dim, ("cat", "dog", "cow"))
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        frozen = tiny_backbone.encode_image(images, normalize=True)
    expected = zero_shot_probabilities(tiny_backbone, task, frozen)
    found = predict_probabilities(tiny_backbone, head, task, images)
    torch.testing.assert_close(found, expected)


def test_rows_go_by_name_and_an_untrained_class_keeps_its_own(tiny_backbone: Backbone) -> None:
    head = LinearHead(tiny_backbone.embed_dim, ("cat", "dog"))
    with torch.no_grad():
        head.offsets.copy_(torch.randn(head.offsets.shape))
    task = encoded(tiny_backbone, "dog", "owl", "cat")
    moved = (head.class_features(tiny_backbone, task) - task.zero_shot_features).detach()
    moved *= tiny_backbone.logit_scale
    expected = torch.stack([head.offsets[1], torch.zeros_like(moved[0]), head.offsets[0]])
    torch.testing.assert_close(moved, expected.detach(), rtol=0, atol=1e-4)


def test_it_is_a_linear_classifier(tiny_backbone: Backbone) -> None:
    """Against torch's own linear layer, its weights the zero-shot rows plus the offsets."""
    head = LinearHead(tiny_backbone.embed_dim, ("cat", "dog"))
    task = encoded(tiny_backbone, "cat", "dog")
    images = torch.rand(3, 3, 64, 64)
    layer = torch.nn.Linear(tiny_backbone.embed_dim, 2, bias=False)
    with torch.no_grad():
        head.offsets.copy_(torch.randn(head.offsets.shape))
        layer.weight.copy_(tiny_backbone.logit_scale * task.zero_shot_features + head.offsets)
        found = cosine_logits(head(tiny_backbone, images, task), tiny_backbone.logit_scale)
        expected = layer(tiny_backbone.encode_image(images, normalize=True))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)
