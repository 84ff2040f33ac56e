"""Noise is standard normal; the system's is never the same, the seeded always."""

from collections.abc import Callable

import pytest
import torch
from scipy.stats import kstest

from fedmvp_core.config import RunConfig
from fedmvp_core.privacy import Draw, noise_for, seeded_draw, system_draw

SHAPE = torch.Size([200, 101])


@pytest.mark.parametrize("draw", [system_draw, seeded_draw(torch.Generator().manual_seed(1))])
def test_noise_is_standard_normal_and_independent(draw: Draw) -> None:
    numbers = draw(SHAPE)
    assert numbers.shape == SHAPE
    assert numbers.dtype == torch.float64
    flat = numbers.flatten()
    # Of good noise one test in a million fails.
    assert kstest(flat.numpy(), "norm").pvalue > 1e-6
    half = len(flat) // 2
    for shifted in (flat[1 : half + 1], flat[half : 2 * half]):
        assert abs(float((flat[:half] * shifted).mean())) < 5 / half**0.5


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 2)])
def test_system_noise_of_any_shape(shape: tuple[int, ...]) -> None:
    numbers = system_draw(torch.Size(shape))
    assert numbers.shape == shape
    assert torch.isfinite(numbers).all()


def test_system_noise_does_not_follow_from_any_seed() -> None:
    torch.manual_seed(3)
    first = system_draw(SHAPE)
    torch.manual_seed(3)
    assert not torch.equal(first, system_draw(SHAPE))


def test_seeded_noise_belongs_to_seed_round_client_and_purpose(
    default_config: Callable[..., RunConfig],
) -> None:
    def numbers(purpose: str = "a", round: int = 1, client: int = 0, seed: int = 1) -> torch.Tensor:
        config = default_config(dp_noise="seeded", seed=seed)
        return noise_for(config, purpose, round, client)(SHAPE)

    assert torch.equal(numbers(), numbers())
    for other in (numbers("b"), numbers(round=2), numbers(client=1), numbers(seed=2)):
        assert not torch.equal(numbers(), other)


def test_the_systems_noise_is_the_default(default_config: Callable[..., RunConfig]) -> None:
    assert noise_for(default_config(), "a") is system_draw
