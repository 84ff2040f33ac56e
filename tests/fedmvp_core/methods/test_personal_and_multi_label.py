"""Personal and multi-label methods: contract, gradients, bad input."""

from collections.abc import Callable

import pytest
import torch
from method_checks import attacked, built, moved_by_one_step
from prepared import prepared

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.model import LocalModel
from fedmvp_core.tasks import Task
from simulations.plugins.check_method import check_method

Make = Callable[..., RunConfig]
NAMES = ("fedotp", "fedpgp", "fedmgp", "dualcoop", "positivecoop", "fedmpt", "fedapt")


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_holds(name: str) -> None:
    findings = list(check_method(name, {}))
    assert len(findings) > 8
    assert [finding for finding in findings if finding.wrong] == []


@pytest.mark.parametrize("objective", ["", "trades"])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_trained_tensor(
    tiny_backbone: Backbone, default_config: Make, name: str, objective: str
) -> None:
    config = default_config(method=name, objective=objective)
    tensors = set(built(tiny_backbone, config).prompt_tensors())
    assert moved_by_one_step(tiny_backbone, config) == tensors


@pytest.mark.parametrize("name", NAMES)
def test_attacks_in_training_lower_the_right_class(
    tiny_backbone: Backbone, default_config: Make, name: str
) -> None:
    config = default_config(method=name, objective="adversarial", epsilon="8/255")
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 4)
    model, images = LocalModel(tiny_backbone, prompting, shard), shard.images.float() / 255
    found = attacked(tiny_backbone, prompting, config, shard)
    with torch.no_grad():
        before, after = (
            model.predict(x)[1].log_softmax(dim=-1)[torch.arange(4), shard.labels]
            for x in (images, found)
        )
    assert (after < before).all()


def test_an_objective_that_a_module_cannot_serve_is_refused(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(method="apt", objective="fedpgp")
    with pytest.raises(ConfigError, match=r"objective is 'fedpgp', which asks .*shared_class_fe"):
        built(tiny_backbone, config)


@pytest.mark.parametrize("name", [*NAMES, "fedcocoop", "fedtpg", "promptfl"])
def test_a_class_name_that_leaves_no_room_is_refused_before_a_run(
    tiny_backbone: Backbone, default_config: Make, name: str
) -> None:
    def task(*names: str) -> Task:
        return Task(names, ((),) * len(names), "a {class}.", "a {class}, {attribute}.")

    module = built(tiny_backbone, default_config(method=name))
    module.check_task(tiny_backbone, task("ant", "bee"))
    with pytest.raises(ConfigError, match="words before 'cat cat cat"):
        module.check_task(tiny_backbone, task("ant", " ".join(["cat"] * 29)))
