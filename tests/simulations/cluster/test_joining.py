"""A wrong address is one sentence within seconds; nodes with other versions are named."""

import socket
import time
from collections.abc import Iterator, Mapping

import pytest
from typer.testing import CliRunner

from fedmvp_core.errors import ConfigError
from simulations.cli import app
from simulations.cluster import joining
from simulations.cluster.installed import installed
from simulations.cluster.joining import join_cluster, knock
from simulations.cluster.nodes import ClusterNode, check_nodes

OWN = {
    "python": "3.11",
    "fedmvp": "1.0",
    "flwr": "1.41.0",
    "torch": "2.9.0",
    "sources": "ab12",
    "threads": "1",
}


def node(name: str = "far", error: str = "", **changes: str) -> ClusterNode:
    found = {key: value for key, value in (OWN | changes).items() if value}
    return ClusterNode(name, "10.0.0.2", "3f", cpus=4, gpus=0, installed=found, error=error)


@pytest.fixture
def stranger() -> Iterator[str]:
    """The address of a port where something listens that is not Ray, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "address", ["", "10.0.0.1", "10.0.0.1:", ":6379", "10.0.0.1:0", "h:99999", "ray://h:10001"]
)
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="allowed: auto, or HOST:PORT"):
        knock(address)


def test_an_address_that_nobody_answers_is_told_within_seconds(nobody: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=f"ray-address is '{nobody}', but nobody answers there"):
        join_cluster(nobody)
    assert time.monotonic() - begun < 5


def test_what_listens_and_is_no_ray_is_told(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_JOIN_SECONDS", 1.0)
    with pytest.raises(ConfigError, match="is no Ray cluster"):
        join_cluster(stranger)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "demo", "--ray-address", "{nobody}"], "nobody answers there"),
        (["run", "demo", "--ray-address", "head"], "allowed: auto, or HOST:PORT"),
        (["run", "demo", "--ray-address", "auto", "--engine", "inline"], "needs --engine ray"),
        (["suite", "emoji-zsl", "--ray-address", "{nobody}"], "nobody answers there"),
    ],
)
def test_commands_refuse_before_anything_is_loaded(
    words: list[str], sentence: str, nobody: str
) -> None:
    result = CliRunner().invoke(app, [word.format(nobody=nobody) for word in words])
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())


def test_this_python_is_like_itself() -> None:
    own: Mapping[str, str] = installed()
    assert set(own) == set(OWN)
    check_nodes([ClusterNode("here", "127.0.0.1", "3f", 1, 0, own)], own)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (node(fedmvp="0.9"), r"node far \(10.0.0.2, 3f\): fedmvp is 0.9 \(here 1.0\); install"),
        (node(fedmvp="", sources=""), r"far .*: fedmvp is missing \(here 1.0\); install"),
        (node(sources="cd34"), r"the code of fedmvp is cd34 \(here ab12\)"),
        (node(python="3.12", torch="2.8.0"), r"Python is 3.12 .*, torch is 2.8.0 \(here 2.9.0\)"),
        (node(flwr=""), r"flwr is missing \(here 1.41.0\)"),
        (node(threads="8"), r"OMP_NUM_THREADS is 8 \(here 1\)"),
        (node(error="its worker crashed"), "far .* could not be asked .*: its worker crashed"),
    ],
)
def test_a_node_with_something_else_is_named(other: ClusterNode, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as raised:
        check_nodes([node("near"), other], OWN)
    assert "near" not in str(raised.value)


def test_all_nodes_that_differ_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"node a .*; node b "):
        check_nodes([node("a", fedmvp="0.9"), node("b", torch="")], OWN)
