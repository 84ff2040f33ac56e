"""Resources: what Ray is told on machines with and without GPUs."""

import struct

import pytest

from fedmvp_core.errors import ConfigError
from simulations.cluster.nodes import Cluster, ClusterNode
from simulations.runner import resources
from simulations.runner.resources import (
    Resources,
    choose_resources,
    cluster_resources,
    most_at_once,
    used_gpu_memory,
    visible_gpus,
)


@pytest.fixture
def machine(monkeypatch):
    """A function that makes the machine look as if it had so many CPUs and GPUs."""

    def pretend(cpus: int, gpus: int) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(resources, "visible_cpus", lambda: cpus)
        monkeypatch.setattr(resources, "_present_gpus", lambda: gpus)

    return pretend


@pytest.mark.parametrize(("supernodes", "at_once"), [(6, 4), (3, 3)])
def test_without_gpu_one_client_a_cpu(machine, supernodes, at_once):
    machine(cpus=4, gpus=0)
    chosen = choose_resources(supernodes, "auto")
    assert chosen == Resources(cpus=at_once, gpus=0, gpus_per_client=0.0)
    assert chosen.clients_at_once == at_once


def test_clients_at_once_may_exceed_the_cpus(machine):
    machine(cpus=2, gpus=0)
    assert choose_resources(6, "cpu", clients_at_once=5).clients_at_once == 5


def test_a_gpu_is_used_when_there_is_one(machine):
    machine(cpus=16, gpus=2)
    assert choose_resources(6, "auto").clients_at_once == 2


def test_clients_share_a_gpu(machine):
    machine(cpus=16, gpus=2)
    chosen = choose_resources(6, "auto", clients_per_gpu=3)
    assert chosen.clients_at_once == 6
    words = dict(word.split("=") for word in chosen.federation_config(6).split())
    share = float(words.pop("client-resources-num-gpus"))
    assert share == pytest.approx(1 / 3, rel=1e-5)
    assert words == {
        "num-supernodes": "6",
        "client-resources-num-cpus": "1",
        "init-args-num-cpus": "6",
        "init-args-num-gpus": "2",
    }


@pytest.mark.parametrize("gpus", [1, 2, 8])
@pytest.mark.parametrize("per_gpu", [1, 2, 3, 5, 6, 7, 11, 48, 60])
def test_every_share_of_a_gpu_becomes_a_worker_of_flower(gpus, per_gpu):
    """Flower carries the share in 32 bits, and divides the GPUs by it."""
    said = Resources(gpus * per_gpu, gpus, 1 / per_gpu).federation_config(1)
    (share,) = [w.split("=")[1] for w in said.split() if "client-resources-num-gpus" in w]
    carried = struct.unpack("f", struct.pack("f", float(share)))[0]
    assert int(gpus / carried) == gpus * per_gpu
    # Ray cuts a share to 1/10000, and as many as are asked for must fit into one GPU.
    assert int(carried * 10_000) * per_gpu <= 10_000


def nodes_of(*cpus_and_gpus):
    return Cluster(
        "10.0.0.1:6379",
        [ClusterNode(f"n{i}", "10.0.0.1", str(i), *has) for i, has in enumerate(cpus_and_gpus)],
    )


@pytest.mark.parametrize(
    ("nodes", "device", "per_gpu", "places", "gpus"),
    [
        ([(4, 0), (2, 0)], "auto", None, 6, 0),
        ([(0, 0), (8, 2), (8, 1)], "auto", None, 3, 3),
        ([(0, 0), (8, 2), (8, 1)], "auto", 3, 9, 3),
        ([(2, 1), (8, 1)], "cuda", 3, 5, 2),  # the first node has too few CPUs for three
        ([(4, 2)], "cpu", None, 4, 0),
    ],
)
def test_a_cluster_has_the_places_of_its_nodes(monkeypatch, nodes, device, per_gpu, places, gpus):
    monkeypatch.setattr(resources.os, "cpu_count", lambda: 64)
    chosen = cluster_resources(nodes_of(*nodes), device, None, per_gpu, cohort=100)
    assert (chosen.cpus, chosen.gpus) == (places, gpus)
    assert chosen.clients_at_once == min(places, most_at_once())
    assert chosen.ray_address == "10.0.0.1:6379"
    assert "init-args" not in chosen.federation_config(6)  # which Ray would refuse


@pytest.mark.parametrize(
    ("nodes", "device", "at_once", "per_gpu", "sentence"),
    [
        ([(4, 0)], "auto", 3, None, "clients-at-once is 3, but a cluster has as many places"),
        ([(4, 0)], "auto", None, 2, "clients-per-gpu is 2 but the cluster at .* has no GPU"),
        ([(4, 0), (4, 0)], "cuda", None, None, "device is 'cuda' .*found: 2 nodes, 8 CPUs, 0 GPUs"),
        ([(4, 1)], "cpu", None, 2, "clients-per-gpu is 2 but device is 'cpu'"),
        ([(0, 0), (0, 0)], "auto", None, None, "no node with a CPU for a client"),
        ([(4, 0), (0, 1)], "auto", None, None, "no node with a CPU and a GPU for a client"),
        ([], "auto", None, None, "found: 0 nodes"),
        ([(4, 1)], "auto", None, 0, "clients-per-gpu is 0; allowed: 1 or more"),
    ],
)
def test_what_a_cluster_cannot_give_is_refused(nodes, device, at_once, per_gpu, sentence):
    with pytest.raises(ConfigError, match=sentence):
        cluster_resources(nodes_of(*nodes), device, at_once, per_gpu, cohort=100)


@pytest.mark.parametrize(
    ("supernodes", "cohort", "gpus", "per_gpu", "pool", "share"),
    [
        (8, 8, 8, 4, 8, 1),  # Ray would put the eight on two GPUs
        (100, 10, 8, 4, 10, 2),
        (100, 100, 8, 4, 32, 4),
        (100, 100, 8, 8, 32, 4),  # Flower asks 32 at once
        (100, 100, 2, 3, 6, 3),
    ],
)
def test_clients_are_spread_over_the_gpus(
    machine, monkeypatch, supernodes, cohort, gpus, per_gpu, pool, share
):
    machine(cpus=64, gpus=gpus)
    monkeypatch.setattr(resources.os, "cpu_count", lambda: 64)
    chosen = choose_resources(supernodes, "auto", None, per_gpu, cohort)
    assert chosen == Resources(cpus=pool, gpus=gpus, gpus_per_client=1 / share)
    nodes = nodes_of((0, 0), (32, gpus))
    on_cluster = cluster_resources(nodes, "auto", None, per_gpu, cohort)
    assert on_cluster.gpus_per_client == 1 / share
    assert on_cluster.cpus == gpus * share


def test_device_cpu_leaves_the_gpus_alone(machine):
    machine(cpus=4, gpus=2)
    assert choose_resources(6, "cpu").gpus == 0


@pytest.mark.parametrize(
    ("device", "per_gpu", "sentence"),
    [
        ("auto", 2, r"clients-per-gpu is 2 but no GPU was found; found: 4 CPUs"),
        ("cuda", None, r"device is 'cuda' but no GPU was found"),
        ("cpu", 2, r"clients-per-gpu is 2 but device is 'cpu'"),
        ("auto", 0, r"clients-per-gpu is 0; allowed: 1 or more"),
    ],
)
def test_what_cannot_be_given_is_refused(machine, device, per_gpu, sentence):
    machine(cpus=4, gpus=0)
    with pytest.raises(ConfigError, match=sentence):
        choose_resources(6, device, clients_per_gpu=per_gpu)


def test_a_mask_that_hides_all_gpus_is_named(machine, monkeypatch):
    machine(cpus=4, gpus=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES is ''"):
        choose_resources(6, "cuda")


@pytest.mark.parametrize(("mask", "count"), [("0", 1), ("0,1", 2), ("0,-1,1", 1), ("0,1,2", 2)])
def test_the_mask_counts(machine, monkeypatch, mask, count):
    machine(cpus=4, gpus=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    assert visible_gpus() == count


def test_memory_of_all_gpus_is_added_up(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert used_gpu_memory() == 0
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 512\necho 1024\necho '[N/A]'\n")
    program.chmod(0o755)
    assert used_gpu_memory() == 1536 * 2**20
