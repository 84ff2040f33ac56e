"""The scripts that containers start, and the environment in which they do: docker/*.sh."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fedmvp_core.errors import ConfigError
from simulations.runner.environment import clean_environment
from simulations.runner.project import package_folder

SUPERLINK, SUPERNODE = "superlink.sh", "supernode.sh"


@cache
def docker_folder() -> Path:
    """docker/ of a checkout, or the copy of it in an installed wheel."""
    simulations = package_folder("simulations")
    candidates = (simulations / "app" / "docker", simulations.parent / "docker")
    for candidate in candidates:
        if (candidate / SUPERLINK).is_file():
            return candidate
    raise ConfigError(f"no {SUPERLINK} in {' or '.join(map(str, candidates))}; reinstall fedmvp")


@dataclass(frozen=True)
class Started:
    """A process, what it is called, and where its words go."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def last_words(self) -> str:
        """The end of its log in one line, for an error."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " ".join(lines[-4:]) or "it said nothing"


def start(script: str, name: str, folder: Path, log: Path, values: Mapping[str, str]) -> Started:
    """Run an entrypoint in `folder`, with a Flower home of its own below it."""
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        process = subprocess.Popen(
            ["/bin/sh", str(docker_folder() / script)],
            cwd=folder,  # holds no code: Flower puts it on the apps' import path
            env={**clean_environment(folder), **values},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(name, process, log)
