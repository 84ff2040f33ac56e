"""FedKgCoOp: its size, and what holds its words."""

from collections.abc import Callable

from method_checks import elements

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method

Make = Callable[..., RunConfig]


def test_four_words_at_published_widths(tiny_backbone: Backbone, default_config: Make) -> None:
    config = default_config(method="fedkgcoop")
    assert elements(tiny_backbone, config, "ViT-B-16") == 2_048


def test_its_objective_holds_text(default_config: Make) -> None:
    objective = find_method(default_config(method="fedkgcoop")).objective
    assert objective is not None
    assert (objective.name, objective.needs) == ("fedkgcoop", "text")
