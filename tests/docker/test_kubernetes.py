"""The Kubernetes manifests say what the compose files say: images, environment, volumes, flags.

Their form is checked against Kubernetes' own schemas where `kubernetes-validate` is installed.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_files import DOCKER, environment_variables, resolved

from simulations.deploy.checks_data import parse_node_config

FOLDER = DOCKER / "kubernetes"
FILES = ("superlink.yaml", "supernodes.yaml", "register.yaml", "submit.yaml")
SERVICES = resolved("compose.yml")["services"]


def documents(file: str) -> list[dict[str, Any]]:
    return [dict(document) for document in yaml.safe_load_all((FOLDER / file).read_text())]


def workload(file: str) -> dict[str, Any]:
    (found,) = (document for document in documents(file) if "template" in document["spec"])
    return found


def pod_of(file: str) -> dict[str, Any]:
    return dict(workload(file)["spec"]["template"]["spec"])


def container_of(file: str) -> dict[str, Any]:
    (found,) = pod_of(file)["containers"]
    return dict(found)


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def mounted(places: list[str]) -> set[str]:
    """Folders of the container that a compose service mounts something at, or in."""
    return {"/" + place.split(":")[1].strip("/").split("/")[0] for place in places}


TWINS = [
    ("superlink.yaml", "superlink"),
    ("supernodes.yaml", "supernode-0"),
    ("register.yaml", "register"),
    ("submit.yaml", "submit"),
]


@pytest.mark.parametrize(("file", "service"), TWINS)
def test_a_pod_is_what_the_service_is(file: str, service: str) -> None:
    container, twin = container_of(file), SERVICES[service]
    assert container["image"] == twin["image"]
    assert container.get("command") == twin.get("entrypoint")
    assert container.get("args") == twin.get("command")
    found = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert found == mounted(twin["volumes"])
    held = {volume["name"] for volume in pod_of(file)["volumes"]}
    claims = workload(file)["spec"].get("volumeClaimTemplates", [])
    held |= {claim["metadata"]["name"] for claim in claims}
    assert {mount["name"] for mount in container["volumeMounts"]} <= held


def test_the_superlink_has_the_services_environment_and_port() -> None:
    container, twin = container_of("superlink.yaml"), SERVICES["superlink"]
    assert environment_of(container) == twin["environment"]
    (port,) = container["ports"]
    (published,) = twin["ports"]
    assert published.endswith(f":{port['containerPort']}")
    (service,) = (d for d in documents("superlink.yaml") if d["kind"] == "Service")
    assert service["metadata"]["name"] == "superlink"  # for which the certificate is
    (offered,) = service["spec"]["ports"]
    assert (offered["port"], offered["targetPort"]) == (port["containerPort"], port["name"])
    labels = workload("superlink.yaml")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels


def test_every_pod_of_the_supernodes_is_one_service_of_compose() -> None:
    said = environment_of(container_of("supernodes.yaml"))
    nodes = {name: s for name, s in SERVICES.items() if name.startswith("supernode-")}
    name = workload("supernodes.yaml")["metadata"]["name"]
    replicas = workload("supernodes.yaml")["spec"]["replicas"]
    assert {f"{name}-{index}" for index in range(replicas)} == set(nodes)
    for index in range(replicas):
        own = {key: value.replace("$(INDEX)", str(index)) for key, value in said.items()}
        assert own == nodes[f"{name}-{index}"]["environment"]
        assert parse_node_config(own["FEDMVP_NODE_CONFIG"])["num-partitions"] == replicas
    assert set(said) <= environment_variables("supernode.sh")
    index_of = container_of("supernodes.yaml")["env"][0]
    assert index_of["name"] == "INDEX"  # before the entry that reads it
    assert "pod-index" in index_of["valueFrom"]["fieldRef"]["fieldPath"]


@pytest.mark.parametrize("file", FILES)
def test_nobody_is_root_or_has_rights(file: str) -> None:
    pod = pod_of(file)
    user, group = SERVICES["superlink"]["user"].split(":")
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert (context["runAsUser"], context["fsGroup"]) == (int(user), int(group))
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["image"] == container_of(file)["image"]
    if "initContainers" in pod:  # `init: true`
        assert pod["shareProcessNamespace"] is True


@pytest.mark.parametrize(
    ("file", "part"), [("superlink.yaml", "superlink"), ("supernodes.yaml", "supernode")]
)
def test_health_is_asked_as_the_image_does(file: str, part: str) -> None:
    container = container_of(file)
    probes = {
        name: probe["exec"]["command"] for name, probe in container.items() if "Probe" in name
    }
    assert {"startupProbe", "livenessProbe"} <= set(probes)
    assert all(command == ["health.sh", part] for command in probes.values())
    assert f'CMD ["health.sh", "{part}"]' in (DOCKER / "Dockerfile").read_text()


def test_keys_are_a_nodes_own_and_private() -> None:
    """A first container alone sees all keys, and leaves one file of mode 600."""
    (first,) = pod_of("supernodes.yaml")["initContainers"]
    assert first["command"][-1] == 'install -m 600 "/secrets/$NAME" /keys/node'
    (main,) = pod_of("supernodes.yaml")["containers"]
    assert "secrets" not in {mount["name"] for mount in main["volumeMounts"]}
    assert environment_of(main)["FEDMVP_KEY"] == "/keys/node"


def test_secrets_are_those_that_the_guide_makes() -> None:
    used = set()
    for file in FILES:
        for volume in pod_of(file)["volumes"]:
            sources = volume.get("projected", {}).get("sources", [])
            used |= {source["secret"]["name"] for source in sources}
            used |= {volume["secret"]["secretName"]} if "secret" in volume else set()
    guide = (Path(__file__).resolve().parents[2] / "docs" / "clusters.md").read_text()
    assert used == {"fedmvp-ca", "fedmvp-server", "fedmvp-keys", "fedmvp-public"}
    assert all(f"kubectl create secret generic {name} " in guide for name in used)


def test_a_gpu_is_asked_for_as_compose_does() -> None:
    (patch,) = documents("gpu.patch.yaml")
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert container["name"] == container_of("supernodes.yaml")["name"]
    twin = resolved("compose.gpu.yml")["services"]["supernode"]
    assert environment_of(container) == twin["environment"]
    (device,) = twin["deploy"]["resources"]["reservations"]["devices"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": int(device["count"])}
    assert container["image"] == container_of("supernodes.yaml")["image"].replace("-cpu", "-cuda")


@pytest.mark.parametrize("file", FILES)
def test_kubernetes_own_schemas_hold(file: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for document in documents(file):
        document["metadata"].setdefault("name", "made-by-the-cluster")
        validate.validate(document, validate.latest_version(), strict=True)
