"""The compose files: what they read is in .env.example, and what they say fits the entrypoints."""

import re
import shutil
import subprocess

import pytest
import yaml
from compose_files import DOCKER, VARIABLE, env_example, environment_variables, resolved

from fedmvp_core.config import parse_config
from simulations.deploy.checks_data import parse_node_config
from simulations.runner.project import default_config

FILES = ("compose.yml", "compose.server.yml", "compose.client.yml", "compose.gpu.yml")


def test_the_example_holds_what_is_read_and_nothing_else() -> None:
    used = {
        match["name"] for file in FILES for match in VARIABLE.finditer((DOCKER / file).read_text())
    }
    assert used == set(env_example()) - {"COMPOSE_PROJECT_NAME"}


@pytest.mark.parametrize("file", FILES[:3])
def test_services_set_only_what_the_entrypoints_read(file: str) -> None:
    for name, service in resolved(file)["services"].items():
        script = "supernode.sh" if name.startswith("supernode") else "superlink.sh"
        assert set(service.get("environment", {})) <= environment_variables(script), name


@pytest.mark.parametrize("file", FILES[:3])
def test_nobody_is_root_and_no_image_floats(file: str) -> None:
    for name, service in resolved(file)["services"].items():
        assert not service["user"].startswith(("0", "root")), name
        assert re.fullmatch(
            r"fedmvp/(superlink|supernode):\d+\.\d+\.\d+-(cpu|cuda)", service["image"]
        )


def test_one_machine_has_a_superlink_and_three_nodes_that_cut_one_data_set() -> None:
    services = resolved("compose.yml")["services"]
    nodes = {name: service for name, service in services.items() if name.startswith("supernode")}
    assert "superlink" in services
    read = [parse_node_config(n["environment"]["FEDMVP_NODE_CONFIG"]) for n in nodes.values()]
    assert [dict(node) for node in read] == [
        {"partition-id": i, "num-partitions": 3} for i in range(3)
    ]
    parse_config({**default_config(), "clients": 3})  # the embedded data is the default


def test_each_node_has_a_key_of_its_own_and_the_superlink_knows_it() -> None:
    services = resolved("compose.yml")["services"]
    mounted = [
        volume.split(":")[0]
        for name, service in services.items()
        if name.startswith("supernode")
        for volume in service["volumes"]
        if volume.endswith(":/keys/node:ro")
    ]
    assert len(set(mounted)) == 3
    registered = {volume.split(":")[0] for volume in services["register"]["volumes"][1:]}
    assert registered == {f"{key}.pub" for key in mounted}
    assert services["register"]["command"] == [
        volume.split(":")[1] for volume in services["register"]["volumes"][1:]
    ]


@pytest.mark.parametrize("file", FILES[:3])
def test_the_authoritys_key_enters_no_container(file: str) -> None:
    text = (DOCKER / file).read_text()
    assert "ca.key" not in text
    for name, service in resolved(file)["services"].items():
        sources = [volume.split(":")[0] for volume in service["volumes"]]
        assert "./secrets/tls" not in sources, name
        assert "./secrets/keys" not in sources, name
        if name.startswith("supernode"):
            assert not any("server" in source for source in sources)


def test_volumes_that_are_named_are_declared() -> None:
    for file in FILES[:3]:
        content = resolved(file)
        for service in content["services"].values():
            for volume in service["volumes"]:
                source = volume.split(":")[0]
                assert source.startswith((".", "/")) or source in content["volumes"], volume


def compose_command() -> list[str] | None:
    plugin = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if shutil.which("docker")
        else None
    )
    if plugin is not None and plugin.returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@pytest.mark.skipif(compose_command() is None, reason="no docker compose here")
@pytest.mark.parametrize("files", [[f] for f in FILES[:3]] + [["compose.client.yml", FILES[3]]])
def test_compose_itself_takes_them(files: list[str]) -> None:
    command = [*(compose_command() or []), "--env-file", str(DOCKER / ".env.example")]
    for file in files:
        command += ["-f", str(DOCKER / file)]
    done = subprocess.run([*command, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["services"]
    wanted = resolved(files[0])["services"]
    shown = {name for name, service in wanted.items() if "profiles" not in service}
    assert shown <= set(found)
    for name in shown:
        assert found[name]["image"] == wanted[name]["image"]
