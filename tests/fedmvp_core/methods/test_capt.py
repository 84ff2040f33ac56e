"""CAPT: its sizes with each coupling, and all of it trained."""

from collections.abc import Callable

import pytest
from method_checks import built, elements, moved_by_one_step

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig


@pytest.mark.parametrize(
    ("coupling", "count"),
    [("text-to-image", 3_555_072), ("image-to-text", 3_557_120), ("independent", 23_040)],
)
def test_sizes_at_published_widths(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], coupling: str, count: int
) -> None:
    config = default_config(method="capt", method_options=f"coupling={coupling}")
    assert elements(tiny_backbone, config, "ViT-B-16") == count


@pytest.mark.parametrize("coupling", ["text-to-image", "image-to-text", "independent"])
def test_a_step_moves_every_tensor(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], coupling: str
) -> None:
    config = default_config(method="capt", method_options=f"coupling={coupling}")
    tensors = built(tiny_backbone, config).prompt_tensors()
    assert moved_by_one_step(tiny_backbone, config) == set(tensors)
