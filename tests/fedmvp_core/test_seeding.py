"""Draws depend on seed, round, client and purpose, on nothing else."""

import torch

from fedmvp_core.seeding import derived_seed, generator, seeded_global_rng


def test_every_part_matters() -> None:
    seeds = {
        derived_seed(1, "a"),
        derived_seed(2, "a"),
        derived_seed(1, "b"),
        derived_seed(1, "a", round=1),
        derived_seed(1, "a", partition_id=0),
        derived_seed(1, "a", round=1, partition_id=0),
        derived_seed(1, "a", round=10, partition_id=1),
        derived_seed(1, "a", round=1, partition_id=11),
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_never_change() -> None:
    """Runs must be repeatable with later versions too."""
    assert derived_seed(1, "local training", 3, 7) == 1707529530211687683


def test_generators_are_independent_of_each_other_and_of_the_global_one() -> None:
    first = torch.rand(3, generator=generator(1, "a"))
    torch.rand(5)
    torch.rand(5, generator=generator(1, "b"))
    assert torch.equal(torch.rand(3, generator=generator(1, "a")), first)


def test_the_global_generator_is_restored() -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with seeded_global_rng(1, "a"):
        first = torch.rand(2)
    assert torch.equal(torch.get_rng_state(), state)
    with seeded_global_rng(1, "a"):
        assert torch.equal(torch.rand(2), first)
