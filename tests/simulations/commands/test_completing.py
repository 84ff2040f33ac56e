"""What bash is offered, without torch being loaded for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = ("torch", "flwr", "ray", "pandas", "open_clip", "matplotlib")
# Answers several requests as bash makes them, each [words, the place of the unfinished one].
ANSWER = f"""
import contextlib, io, json, os, sys
from simulations.cli import app
answers = []
for words, place in json.loads(sys.argv[1]):
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = chr(10).join(words), str(place)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            app(prog_name="fedmvp")
        except SystemExit:
            pass
    answers.append(said.getvalue().split())
print(json.dumps([answers, [name for name in {SLOW!r} if name in sys.modules]]))
"""


def offered(folder: Path, *lines: str) -> list[list[str]]:
    """What each line is completed to, at its end; bash takes words apart at the equals sign."""
    requests = [
        (words, len(words) - 1) for words in (line.replace("=", " = ").split(" ") for line in lines)
    ]
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, json.dumps(requests)],
        env={**os.environ, "_FEDMVP_COMPLETE": "complete_bash"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    answers, loaded = json.loads(done.stdout)
    assert loaded == []
    found: list[list[str]] = answers
    return found


@pytest.fixture
def with_runs(tmp_path: Path) -> Path:
    for name in ("mine", "minor", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    return tmp_path


def test_bash_is_offered_names(with_runs: Path) -> None:
    cases = {
        "fedmvp wat": ["watch"],
        "fedmvp datasets pre": ["prepare"],
        "fedmvp report mi": ["mine", "minor"],
        "fedmvp watch o": ["other"],
        "fedmvp compare mine oth": ["other"],
        "fedmvp run demo-": ["demo-short"],
        "fedmvp run demo evaluate-": ["evaluate-every="],
        "fedmvp run demo method=fedmv": ["fedmvp", "fedmvp-capt"],
        "fedmvp run overwrite=t": ["true"],
        "fedmvp suite emoji-g": ["emoji-gzsl"],
        "fedmvp reproduce fedmvp-s": ["fedmvp-ssmt"],
        "fedmvp list met": ["methods", "metrics"],
        "fedmvp list methods prompt": ["promptfl"],
        "fedmvp check aggregation multi": ["multikrum"],
        "fedmvp new a": ["aggregation", "app"],
        "fedmvp attack mine --attack apgd-": ["apgd-ce", "apgd-dlr", "apgd-t"],
        "fedmvp datasets check eur": ["eurosat"],
        "fedmvp report nothing-like": [],
    }
    assert dict(zip(cases, offered(with_runs, *cases), strict=True)) == cases


def test_zsh_keeps_a_key_and_its_value_together() -> None:
    from simulations.commands.completing import values_of

    assert "fedmvp-capt" in values_of("method")
    assert values_of("rounds") == []
    assert values_of("no-such-key") == []


def test_bash_gets_a_script_that_asks_fedmvp() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from simulations.cli import app; app(prog_name='fedmvp')"],
        env={**os.environ, "_FEDMVP_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o default -F _fedmvp_completion fedmvp" in done.stdout
