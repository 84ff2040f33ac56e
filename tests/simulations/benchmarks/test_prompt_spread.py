"""What the table of prompt spread is made of."""

import math

import pytest
import torch

from simulations.benchmarks.prompt_spread import evenness, spread


def test_spread_is_the_length_of_the_standard_deviations() -> None:
    prompts = torch.zeros(2, 3, 4)
    prompts[1] = 2.0  # over images every number has the standard deviation sqrt(2)
    assert spread(prompts, 0) == pytest.approx(math.sqrt(2) * 2)
    assert spread(prompts, 1) == 0


def test_evenness_is_one_of_alike_and_nothing_of_one_alone() -> None:
    assert evenness(torch.full((2, 5), 0.2)) == pytest.approx(1)
    assert evenness(torch.eye(4)) == pytest.approx(0, abs=1e-6)
