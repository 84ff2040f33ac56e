"""What a configuration names, loaded."""

import shutil
import sysconfig
from pathlib import Path

import pytest
import torch
from run_configs import run_config

from fedmvp_core import workspace
from fedmvp_core.backbone.abilities import compile_problem
from fedmvp_core.backbone.blocks import BlockRunning
from fedmvp_core.errors import ConfigError
from fedmvp_core.workspace import (
    block_running,
    check_arithmetic,
    feature_cache,
    open_backbone,
    open_workspace,
)

CPU, CARD = torch.device("cpu"), torch.device("cuda")
TINY = {"backbone": "tiny", "pretrained": "", "device": "cpu"}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch):
    """A GPU of a name and a compute capability."""

    def present(name: str, capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)

    return present


def test_a_workspace_is_what_the_configuration_names(tmp_path: Path) -> None:
    config = run_config(**TINY, dataset="emojidomains", cache_dir=str(tmp_path))
    opened = open_workspace(config)
    assert opened.backbone.device == torch.device("cpu")
    assert opened.setting.train.images.shape[-1] == opened.backbone.image_size == 64


def test_precision_and_device_may_be_other_ones() -> None:
    model = run_config(**{**TINY, "device": "auto", "precision": "bf16"}).model
    assert open_backbone(model, device="cpu", precision="fp32").precision == "fp32"
    with pytest.raises(ConfigError, match="precision 'bf16' needs a CUDA device"):
        open_backbone(model, device="cpu")


def test_features_are_cached_below_the_configured_folder(tmp_path: Path) -> None:
    assert feature_cache(run_config(cache_dir=str(tmp_path)).run).directory == tmp_path / "features"


# --- what a device can do


def test_a_gpu_without_bfloat16_is_refused_by_name(card) -> None:
    model = run_config(precision="bf16").model
    card("Tesla V100", (7, 0))
    with pytest.raises(ConfigError, match="'bf16' needs a GPU with bfloat16, not 'Tesla V100'"):
        check_arithmetic(model, CARD)
    card("NVIDIA A100", (8, 0))
    check_arithmetic(model, CARD)
    with pytest.raises(ConfigError, match="precision 'bf16' needs a CUDA device, not 'cpu'"):
        check_arithmetic(model, CPU)


def test_compile_needs_a_compiler_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    config = run_config(compile="true", cache_dir=str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        ConfigError,
        match=r"compile is 'true', but no compiler is found .* 'cpu' \(no-such-compiler\); "
        "allowed here: false, auto",
    ):
        block_running(config, CPU)
    assert block_running(run_config(compile="auto"), CPU) == BlockRunning()
    assert block_running(run_config(), CPU) == BlockRunning()


@pytest.mark.parametrize(
    ("capability", "missing", "said"),
    [
        ((6, 1), (), "Triton does not compile for 'GTX 1080'"),
        ((8, 0), ("gcc", "clang", "cc"), "no compiler is found"),
        ((8, 0), ("Python.h",), "needs Python's headers, and .*nowhere/Python.h does not exist"),
    ],
)
def test_what_compiling_for_a_gpu_lacks(
    card, monkeypatch: pytest.MonkeyPatch, capability, missing, said
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name: None if name in missing else name)
    if "Python.h" in missing:
        monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    card("GTX 1080", capability)
    with pytest.raises(ConfigError, match=said):
        check_arithmetic(run_config(compile="true").model, CARD)


def test_auto_compiles_large_towers_on_a_gpu_and_tells_why_not_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    told: list[str] = []
    monkeypatch.setattr(workspace.logger, "info", lambda text, *of: told.append(text % of))
    monkeypatch.setattr(workspace, "keep_compiled", lambda folder: None)
    monkeypatch.setattr(workspace, "compile_problem", lambda device: "")
    wanted = {"compile": "auto", "batch_size": 8, "cache_dir": str(tmp_path)}
    large = run_config(**wanted, backbone="ViT-B-16", pretrained="")
    assert block_running(large, CARD) == BlockRunning(compiled_rows=8)
    assert told == []
    assert block_running(large, CPU) == block_running(run_config(**wanted), CARD) == BlockRunning()
    monkeypatch.setattr(workspace, "compile_problem", lambda device: "no compiler is found")
    assert block_running(large, CARD) == BlockRunning()
    assert told == [
        "compile is 'auto' and stays off: 'ViT-B-16' on 'cpu' gains little",
        "compile is 'auto' and stays off: 'tiny' on 'cuda' gains little",
        "compile is 'auto' and stays off: no compiler is found",
    ]


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler")
def test_a_cpu_with_a_compiler_can_compile(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert compile_problem(CPU) == ""
