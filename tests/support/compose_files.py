"""What the compose files and the entrypoints beside them say."""

import re
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\}")


def env_example() -> dict[str, str]:
    lines = (DOCKER / ".env.example").read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs}


def resolved(file: str) -> dict[str, Any]:
    """The file as compose reads it, with the values of .env.example."""
    values = env_example()
    text = (DOCKER / file).read_text()
    used = {match["name"] for match in VARIABLE.finditer(text)}
    assert used <= set(values), f"{file} reads {used - set(values)}, not in .env.example"
    return dict(yaml.safe_load(VARIABLE.sub(lambda match: values[match["name"]], text)))


def environment_variables(script: str) -> set[str]:
    return set(re.findall(r"\bFEDMVP_[A-Z_]+", (DOCKER / script).read_text()))
