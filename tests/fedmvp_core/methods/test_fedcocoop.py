"""FedCoCoOp: its size, as its card has it."""

from collections.abc import Callable

from method_checks import elements

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig

Make = Callable[..., RunConfig]


def test_size_at_published_widths(tiny_backbone: Backbone, default_config: Make) -> None:
    config = default_config(method="fedcocoop")
    assert elements(tiny_backbone, config, "ViT-B-16") == 35_360
