"""docs/plugins.md as a user follows it: its code becomes a package; `flwr run` trains with it."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from light_environment import light_environment

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "plugins.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
SUPERLINK_PORT = "50917"
RUN = {
    "run-name": "guest",
    "rounds": 2,
    "shots": 2,
    "method": "free-prompts",
    "method-options": "length=4 start=random",
    "objective": "near",
    "objective-options": "mu=0.1",
    "strategy": "moving-average",
    "strategy-options": "rate=0.25",
    "callbacks": "round-log",
    "robust-attack": "none",
}


def files() -> dict[str, str]:
    """What the page says a package consists of."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def lines_of_code(name: str) -> int:
    """Without its module docstring, blank lines and imports' parentheses."""
    text = files()[name].split('"""', 2)[2]
    return sum(bool(line.strip()) for line in text.splitlines())


def test_a_strategy_takes_30_lines_and_a_method_60() -> None:
    assert lines_of_code("fedmvp_guest/strategy.py") <= 30
    assert lines_of_code("fedmvp_guest/method.py") <= 60


def test_every_group_is_on_the_page() -> None:
    from fedmvp_core.registry import GROUPS

    page = PAGE.read_text(encoding="utf-8")
    assert [group for group in GROUPS if f"`{group}`" not in page] == []


@pytest.fixture(scope="module")
def guest_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that borrows this one's packages and has the page's package beside them."""
    folder = tmp_path_factory.mktemp("guest")
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "fedmvp_guest" / "__init__.py").write_text('"""A guest."""\n', encoding="utf-8")
    light_environment(folder / "venv", folder)
    return folder


@pytest.mark.slow
def test_the_package_of_the_page_trains_two_rounds_by_flwr_run(guest_environment: Path) -> None:
    folder, bin_ = guest_environment, guest_environment / "venv" / "bin"
    output = folder / "runs"
    values = {**RUN, "output-dir": str(output), "cache-dir": str(folder / "cache")}
    words = " ".join(f"{k}={json.dumps(v)}" for k, v in values.items())
    environment = {
        **os.environ,
        "FLWR_HOME": str(folder / "flwr"),
        "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": SUPERLINK_PORT,
        "FLWR_TELEMETRY_ENABLED": "0",
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
    }
    federation = "num-supernodes=2 client-resources-num-cpus=1"
    command = [bin_ / "flwr", "run", str(PROJECT), "--stream"]
    try:
        subprocess.run(
            [*command, "-c", words, "--federation-config", federation],
            env=environment,
            cwd=folder,
            check=True,
            timeout=400,
        )
    finally:
        subprocess.run(["pkill", "-f", f"port {SUPERLINK_PORT}"], check=False)
    status = json.loads((output / "guest" / "status.json").read_text(encoding="utf-8"))
    assert (status["status"], status["rounds-completed"]) == ("completed", 2), status
    assert len((output / "guest" / "rounds.log").read_text().splitlines()) == 2
    steps = (output / "guest" / "steps.csv").read_text(encoding="utf-8")
    assert ",distance," in steps
