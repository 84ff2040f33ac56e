"""Auto-PGD: a known optimum, restarts, few classes."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from fedmvp_core.adversarial import apgd as module
from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.losses import margin
from fedmvp_core.adversarial.worst_case import broken


@pytest.mark.parametrize("loss", ["ce", "dlr", "dlr-targeted"])
def test_a_linear_model_is_driven_to_its_optimum(loss: str) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(48, generator=draw)
    images = torch.rand(5, 3, 4, 4, generator=draw)
    epsilon = 0.02

    def model(at: torch.Tensor) -> torch.Tensor:
        score = at.flatten(1) @ weight + 100  # far from 0: class 0 cannot be broken
        return torch.stack([score, -score], dim=1) / 100

    labels = torch.zeros(5, dtype=torch.int64)
    found = apgd(model, images, labels, epsilon, 30, loss)
    optimum = (images - epsilon * weight.sign().view(3, 4, 4)).clamp(0, 1)
    expected = margin(model(optimum), labels)
    torch.testing.assert_close(margin(model(found), labels), expected, atol=1e-5, rtol=0)


def test_a_pass_a_step_and_a_target_a_run(problem: Callable[..., Any]) -> None:
    case = problem(5)
    for loss, runs in (("ce", 1), ("dlr", 1), ("dlr-targeted", 4)):
        case.model.forwards = 0
        apgd(case.model, case.images, case.labels, 1e-5, 12, loss)
        assert case.model.forwards == 1 + runs * (12 + 1)


def test_a_restart_never_mends(problem: Callable[..., Any]) -> None:
    case = problem(4, count=60)
    left = []
    for restarts in (1, 3):
        draws = torch.Generator().manual_seed(0)
        found = apgd(
            case.model, case.images, case.labels, 0.01, 8, restarts=restarts, generator=draws
        )
        left.append(~broken(case.model(found), case.labels))
    assert 0 < left[0].sum() < 60
    assert not (left[1] & ~left[0]).any()


def test_says_once_that_dlr_is_undefined(
    problem: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    module._say_when_undefined.cache_clear()
    case = problem(2)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            apgd(case.model, case.images, case.labels, 0.01, 3, "dlr")
        case = problem(3)
        apgd(case.model, case.images, case.labels, 0.01, 3, "dlr")
        apgd(case.model, case.images, case.labels, 0.01, 3, "dlr-targeted")
    said = [record.getMessage() for record in caplog.records if "undefined" in record.getMessage()]
    assert [message.split("'")[1] for message in said] == ["dlr", "dlr-targeted"]
    assert "2 classes" in said[0]
    assert "3 classes" in said[1]
