"""The sentence that says why a run failed is found in the logs."""

from simulations.runner.failure import reason
from simulations.runner.flower import RunStatus

TRACEBACK = """\x1b[92mINFO \x1b[0m:      Starting Flower Simulation
Traceback (most recent call last):
  File "app.py", line 3, in main
    raise ConfigError("rounds is -1")
fedmvp_core.errors.ConfigError: rounds is -1
\x1b[91mERROR \x1b[0m:     Exit Code: 700
"""
CHAINED = "The above exception was the direct cause of the following exception:"


def test_the_exception_of_the_server_is_preferred(tmp_path):
    (tmp_path / "app.log").write_text(TRACEBACK)
    (tmp_path / "superlink.log").write_text("\x1b[91mERROR \x1b[0m:     heartbeat failed\n")
    sentence = reason(tmp_path, None)
    assert sentence.startswith("fedmvp_core.errors.ConfigError: rounds is -1")
    assert str(tmp_path / "app.log") in sentence


def test_the_cause_is_told_and_not_what_flower_wraps_it_in(tmp_path):
    cause = "Exception: The current node timed out during startup."
    wrapped = ("Simulation Runtime crashed.", "An error was encountered. Ending simulation.")
    lines = (cause, *(f"\n{CHAINED}\n\nRuntimeError: {text}" for text in wrapped))
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    assert reason(tmp_path, None).startswith(cause)


def test_a_logged_error_comes_next(tmp_path):
    (tmp_path / "superlink.log").write_text("\x1b[91mERROR \x1b[0m:     no heartbeat\n")
    assert reason(tmp_path, None).startswith("no heartbeat")


def test_then_what_flower_says(tmp_path):
    status = RunStatus("finished:failed", "No heartbeat received")
    assert "No heartbeat received" in reason(tmp_path, status)
    assert "without a word" in reason(tmp_path, RunStatus("running", "N/A"))
