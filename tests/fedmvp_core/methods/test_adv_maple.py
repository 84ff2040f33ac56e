"""AdvMaPLe: MaPLe's size, and all of it trained."""

from collections.abc import Callable

import pytest
from method_checks import elements, moved_by_one_step

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig


@pytest.mark.parametrize("coupling", ["text-to-image", "independent"])
def test_size_at_published_widths_whatever_capt_couples(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], coupling: str
) -> None:
    config = default_config(method="adv-maple", coupling=coupling)
    assert elements(tiny_backbone, config, "ViT-B-16") == 3_555_072


def test_a_step_moves_every_tensor(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="adv-maple")
    expected = {
        name
        for layer in range(3)
        for name in (f"text.{layer}", f"to_image.{layer}.weight", f"to_image.{layer}.bias")
    }
    assert moved_by_one_step(tiny_backbone, config) == expected
