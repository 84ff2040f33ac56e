"""Run folders for the report."""

from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import write_run


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """`write_run`."""
    return write_run
