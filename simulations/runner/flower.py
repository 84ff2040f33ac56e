"""Speaks to a SuperLink through the `flwr` command: submit a run, follow its log, ask its end."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmvp_core.config import RunConfig, Scalar
from simulations.runner.errors import EngineError
from simulations.runner.resources import Resources
from simulations.runner.superlink import CONNECTION, SuperLink

_ANSWER_SECONDS = 180.0
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class RunStatus:
    """What Flower says of a run: `finished:completed`, say, and why."""

    status: str
    details: str


def submit(
    link: SuperLink,
    app: Path,
    config: RunConfig,
    supernodes: int = 0,
    resources: Resources | None = None,
) -> str:
    """Hand the app to the SuperLink and return the run's id.

    supernodes, resources: of a simulation; a deployment has the SuperNodes that it has.

    Raises:
        EngineError: Flower refused the app or its configuration.
    """
    overrides = link.folder / "run-config.toml"
    overrides.write_text(to_toml(config.as_mapping()), encoding="utf-8")
    words = ["run", str(app), CONNECTION, "--format", "json", "--run-config", str(overrides)]
    if resources is not None:
        words += ["--federation-config", resources.federation_config(supernodes)]
    answer = ask(link, *words)
    return str(answer["run-id"])


def run_status(link: SuperLink, run_id: str) -> RunStatus:
    """Ask Flower how a run stands or ended."""
    answer = ask(link, "ls", CONNECTION, "--run-id", run_id, "--format", "json")
    run = answer["runs"][0]
    return RunStatus(run["status"], run.get("status-details") or "")


def follow_log(link: SuperLink, run_id: str, log: Path) -> "subprocess.Popen[bytes]":
    """Append what server and clients say to `log`, in a process that ends when the run does."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            link.flwr("log", run_id, CONNECTION, "--stream"),
            cwd=link.folder,
            env=link.environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def to_toml(values: dict[str, Scalar]) -> str:
    """A flat TOML table; JSON's literals are TOML's too, for these types."""
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
    )


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _COLOURS.sub("", text)


def ask(link: SuperLink, *words: str) -> dict[str, Any]:
    """Run a `flwr` command that answers in JSON."""
    try:
        done = subprocess.run(
            link.flwr(*words),
            cwd=link.folder,
            env=link.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_ANSWER_SECONDS,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"'flwr {words[0]}' did not answer in {_ANSWER_SECONDS:.0f} s") from None
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        answer = {"success": False}
    if not answer.get("success"):
        said = plain(str(answer.get("error-message") or done.stderr or done.stdout))
        # The first line, with a port that says nothing to anybody, precedes every answer.
        said = " ".join(line for line in said.split("\n") if not line.startswith("Using SuperLink"))
        raise EngineError(f"'flwr {words[0]}' failed: {' '.join(said.split())}")
    return dict(answer)
