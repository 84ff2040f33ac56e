"""FedVPT: its sizes, shallow and deep."""

from collections.abc import Callable

import pytest
from method_checks import elements

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig

Make = Callable[..., RunConfig]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [("", 3_072), ("deep=true", 73_728), ("deep=true prompt-length=2", 2 * 768 * 12)],
)
def test_sizes_at_published_widths(
    tiny_backbone: Backbone, default_config: Make, options: str, numbers: int
) -> None:
    config = default_config(method="fedvpt", method_options=options)
    assert elements(tiny_backbone, config, "ViT-B-16") == numbers
