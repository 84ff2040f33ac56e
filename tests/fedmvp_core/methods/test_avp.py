"""AVP: its sizes, what it trains, and frames that leave no picture."""

from collections.abc import Callable

import pytest
from method_checks import built, elements, moved_by_one_step

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError


@pytest.mark.parametrize("name", ["ViT-B-16", "ViT-B-32"])
def test_sizes_at_published_widths(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], name: str
) -> None:
    assert elements(tiny_backbone, default_config(method="avp"), name) == 69_840 + 3_840


def test_a_step_moves_all_sides_and_the_tokens(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method="avp")
    sides = {"top", "bottom", "left", "right"}
    assert moved_by_one_step(tiny_backbone, config) == {*sides, "tokens"}


@pytest.mark.parametrize(("asked", "found"), [(0, 9), (4, 4), (31, 31)])
def test_the_frame_is_in_proportion_unless_a_width_is_given(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig], asked: int, found: int
) -> None:
    prompting = built(
        tiny_backbone, default_config(method="avp", method_options=f"pad-size={asked}")
    )
    assert prompting.prompt_tensors()["top"].shape == (3, found, 64)


def test_a_frame_that_leaves_no_picture_is_refused(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(ConfigError, match="pad-size is 32; allowed: 1 to 31 at the 64 pixels"):
        built(tiny_backbone, default_config(method="avp", method_options="pad-size=32"))
