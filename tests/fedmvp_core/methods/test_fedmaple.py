"""FedMaPLe: its size, and that it is AdvMaPLe on clean images."""

from collections.abc import Callable

import torch
from method_checks import built, elements

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig

Make = Callable[..., RunConfig]


def test_size_at_published_widths(tiny_backbone: Backbone, default_config: Make) -> None:
    config = default_config(method="fedmaple")
    assert elements(tiny_backbone, config, "ViT-B-16") == 3_555_072


def test_the_module_is_advmaples(tiny_backbone: Backbone, default_config: Make) -> None:
    """Whose prompts are held against towers written out by hand in test_coupled.py."""
    ours, theirs = (
        built(tiny_backbone, default_config(method=name)).prompt_tensors()
        for name in ("fedmaple", "adv-maple")
    )
    assert list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
