"""Reading measured numbers takes no torch."""

import subprocess
import sys

from fedmvp_core.metrics.names import of_metric


def test_one_metric_of_every_split() -> None:
    measured = {"all": {"map": 0.5, "cf1": 0.1}, "mean": {"map": 0.25}, "train": {"loss": 1.0}}
    assert of_metric(measured, "map") == {"all": 0.5, "mean": 0.25}


def test_names_and_tables_are_read_without_torch() -> None:
    program = "import simulations.runner.results, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
