"""One small federation under attack, whose run folder several test files read."""

import pytest
from federation_harness import forget_worker, run_federation, run_folder
from run_configs import run_config


@pytest.fixture(scope="session")
def attacked_run(tmp_path_factory, picture_folder):
    """A run of two rounds that was evaluated under PGD-2; copy its folder before writing there."""
    root = tmp_path_factory.mktemp("attacked")
    config = run_config(
        run_name="attacked",
        output_dir=str(root / "runs"),
        cache_dir=str(root / "cache"),
        dataset="imagefolder",
        data_dir=str(picture_folder),
        rounds=2,
        batch_size=8,
        shots=2,
        robust_attack="pgd",
        robust_steps=2,
        robust_every=1,
        robust_images=4,
        epsilon="4/255",
    )
    run_federation(config, clients=2)
    forget_worker()
    return run_folder(config)
