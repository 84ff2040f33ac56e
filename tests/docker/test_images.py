"""The images' recipe: pinned, without root, with a health check, of the tested versions."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DOCKER = PROJECT / "docker"
RECIPE = (DOCKER / "Dockerfile").read_text()
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
    "hadolint"
)


def stages() -> dict[str, str]:
    """Name -> text of each stage."""
    parts = re.split(r"^(?=FROM )", RECIPE, flags=re.MULTILINE)[1:]
    return {re.search(r" AS (\w+)", part)[1]: part for part in parts}  # type: ignore[index]


def test_bases_are_pinned_to_a_version() -> None:
    bases = re.findall(r"^FROM (\S+)", RECIPE, flags=re.MULTILINE)
    names = set(stages())
    outside = {base for base in bases if base not in names}
    assert outside == {"python:${PYTHON_VERSION}-slim-bookworm"}
    assert re.search(r"^ARG PYTHON_VERSION=3\.\d+\.\d+$", RECIPE, flags=re.MULTILINE)


@pytest.mark.parametrize("role", ["superlink", "supernode"])
def test_each_image_starts_its_script_without_root_and_asks_for_its_health(role: str) -> None:
    found = stages()
    assert found[role].startswith("FROM base ")
    assert re.findall(r"^USER (\S+)", found["base"], flags=re.MULTILINE)[-1] == "10001:10001"
    assert "USER" not in found[role]
    assert f'ENTRYPOINT ["{role}.sh"]' in found[role]
    assert f'CMD ["health.sh", "{role}"]' in found[role]
    copied = re.search(r"COPY --chmod=755 (.+) /usr/local/bin/", found["base"])
    assert copied is not None
    for script in copied[1].split():
        assert (PROJECT / script).is_file()


def test_what_is_copied_passes_the_ignore_file() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", RECIPE, flags=re.MULTILINE)
        for word in line.split()[:-1]
        if not word.startswith("--")
    ]
    assert all(word.split("/")[0] in let_in for word in copied)
    assert "docker/secrets" in lines


def test_the_pinned_versions_satisfy_the_project_and_so_do_those_of_this_environment() -> None:
    from packaging.requirements import Requirement

    pinned = dict(
        line.split("==")
        for line in (DOCKER / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        requirement = Requirement(text)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pinned, f"docker/constraints.txt lacks {name}"
        assert requirement.specifier.contains(pinned[name])
        assert requirement.specifier.contains(version(requirement.name))


def test_the_images_are_of_the_projects_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert f"FEDMVP_VERSION={project['version']}\n" in (DOCKER / ".env.example").read_text()


@pytest.mark.skipif(HADOLINT is None, reason="no hadolint here")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [str(HADOLINT), str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
