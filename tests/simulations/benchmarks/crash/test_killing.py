"""The hooks of the crash matrix are where Python looks for them."""

from pathlib import Path

from simulations.benchmarks.crash.killing import hooked
from simulations.runner import superlink


def test_processes_started_inside_the_block_import_the_hooks(tmp_path: Path) -> None:
    with hooked(tmp_path, "before"):
        inside = superlink.clean_environment(tmp_path)
    assert (Path(inside["PYTHONPATH"]) / "sitecustomize.py").is_file()
    assert inside["CRASH_FOLDER"] == str(tmp_path)
    assert "PYTHONPATH" not in superlink.clean_environment(tmp_path)
