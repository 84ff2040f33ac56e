"""Resources: what Ray is told on machines with and without GPUs."""

import pytest

from fedmvp_core.errors import ConfigError
from simulations.runner import resources
from simulations.runner.resources import (
    Resources,
    choose_resources,
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
    assert chosen.federation_config(6) == (
        f"num-supernodes=6 client-resources-num-cpus=1 client-resources-num-gpus={1 / 3} "
        "init-args-num-cpus=6 init-args-num-gpus=2"
    )


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
