"""FAP: its size, all of it trained, and an attack on the divergence from the clean scores."""

from collections.abc import Callable

import torch
from method_checks import attacked, built, elements, moved_by_one_step
from prepared import prepared
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.logits import cosine_logits


def test_size_at_published_widths(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    assert elements(tiny_backbone, default_config(method="fap"), "ViT-B-32") == 3_557_120


def test_a_step_moves_every_tensor(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fap")
    first = {"text.0", "to_image.0.weight", "to_image.0.bias"}
    deeper = {
        name
        for layer in (1, 2)
        for name in (f"image.{layer}", f"to_text.{layer}.weight", f"to_text.{layer}.bias")
    }
    assert moved_by_one_step(tiny_backbone, config) == first | deeper


def test_the_attack_moves_away_from_the_clean_scores_whatever_the_labels(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="fap", epsilon="8/255")
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 4)
    images = shard.images.float() / 255

    def scores(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            logits = cosine_logits(
                prompting(tiny_backbone, pixels, shard.task), tiny_backbone.logit_scale
            )
        return logits.log_softmax(dim=-1)

    def distance(pixels: Tensor) -> float:
        found = F.kl_div(scores(pixels), scores(images), log_target=True, reduction="batchmean")
        return float(found)

    found = attacked(tiny_backbone, prompting, config, shard)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert distance(found) > 2 * distance((images + 8 / 255 * noise.sign()).clamp(0, 1))
    other = prepared(tiny_backbone, 4)
    other.labels.add_(1).remainder_(3)
    assert torch.equal(found, attacked(tiny_backbone, prompting, config, other))
