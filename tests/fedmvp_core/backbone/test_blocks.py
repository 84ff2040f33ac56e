"""How blocks are run: compiled, with rows filled up, or with activations computed anew."""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pytest
import torch
from method_checks import built
from prepared import prepared
from torch import Tensor, nn
from torch._dynamo.utils import counters

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.backbone import blocks as blocks_module
from fedmvp_core.backbone.abilities import compile_problem
from fedmvp_core.backbone.blocks import CACHE_VARIABLE, BlockRunning, keep_compiled, run_block
from fedmvp_core.config import RunConfig
from fedmvp_core.local.model import LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally

Make = Callable[..., RunConfig]
ROWS = 4
COMPILED, CHECKPOINTED = BlockRunning(compiled_rows=ROWS), BlockRunning(checkpointing=True)


@pytest.fixture(scope="module")
def plain() -> Backbone:
    return load_backbone("tiny", "embedded")


def run_as(plain: Backbone, running: BlockRunning) -> Backbone:
    """The same model, whose blocks are run in another way."""
    other = copy.copy(plain)
    other.running = running
    return other


def features_and_gradients(backbone: Backbone, count: int) -> list[Tensor]:
    """Of both towers with shallow and deep prompts; gradients of prompts and of pixels."""
    draw = torch.Generator().manual_seed(1)
    deep = [(0.1 * torch.randn(4, 128, generator=draw)).requires_grad_() for _ in range(4)]
    images = torch.rand(count, 3, 64, 64, generator=draw).requires_grad_()
    seen = backbone.encode_image(images, {0: deep[0], 2: deep[1]}, normalize=True)
    words = ["X X X X a cat.", "X X X X an old red bus, large."]
    read = backbone.encode_text(words, {0: deep[2], 1: deep[3]}, normalize=True)
    gradients = torch.autograd.grad((seen @ read.T).square().sum(), [images, *deep])
    return [seen.detach(), read.detach(), *gradients]


def trained(backbone: Backbone, config: RunConfig, images: int = 6) -> dict[str, Tensor]:
    """The prompt tensors after two steps, the last of a smaller batch, attacks included."""
    prompting = built(backbone, config)
    shard = prepared(backbone, images)
    assert len(shard.labels) % ROWS, "the last batch is a smaller one"
    train_locally(backbone, prompting, find_method(config), shard, config, LocalRound())
    return prompting.prompt_tensors()


def kept_bytes(backbone: Backbone, images: Tensor, prompts: Tensor) -> int:
    """Bytes of activations that wait for the backward pass, without the weights."""
    weights = {p.untyped_storage().data_ptr() for p in backbone.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = backbone.encode_image(images, {0: prompts})
    assert features.requires_grad
    return sum(kept.values())


# --- activations computed anew


def test_checkpointing_changes_no_bit(plain: Backbone) -> None:
    expected = features_and_gradients(plain, 3)
    found = features_and_gradients(run_as(plain, CHECKPOINTED), 3)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("method", ["capt", "fedmvp-capt"])
def test_a_client_with_checkpointing_trains_the_same_bits(
    plain: Backbone, default_config: Make, method: str
) -> None:
    config = default_config(method=method, batch_size=ROWS, local_epochs=1, attack_steps=1)
    expected = trained(plain, config)
    found = trained(run_as(plain, CHECKPOINTED), config)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_checkpointing_keeps_a_blocks_input_alone(plain: Backbone) -> None:
    prompts = nn.Parameter(torch.full((4, plain.image_width), 0.05))
    images = torch.rand(8, 3, 64, 64)
    whole = kept_bytes(plain, images, prompts)
    least = kept_bytes(run_as(plain, CHECKPOINTED), images, prompts)
    inputs = plain.image_layers * 8 * (1 + 64 + 4) * plain.image_width * 4
    assert inputs <= least < 1.5 * inputs
    assert least < whole / 6


# --- compiled


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Of what would go through compiled blocks, which here are plain ones."""
    seen: list[torch.Size] = []

    def noted(block: nn.Module, tokens: Tensor, mask: Tensor | None, batch_first: bool) -> Tensor:
        seen.append(tokens.shape)
        return run_block(block, tokens, mask, batch_first)

    monkeypatch.setattr(blocks_module, "compiled_block", lambda dynamic: noted)
    return seen


@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1])
def test_rows_that_fill_up_a_batch_change_nothing(
    plain: Backbone, shapes: list[torch.Size], count: int
) -> None:
    expected = features_and_gradients(plain, count)
    found = features_and_gradients(run_as(plain, COMPILED), count)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    images = [shape for shape in shapes if shape[1] == 1 + 64 + 4]
    assert len(images) == plain.image_layers
    assert {shape[0] for shape in images} == {ROWS if count <= ROWS else 2 * ROWS}


def test_regions_of_filled_up_rows_are_cut_off_too(
    plain: Backbone, shapes: list[torch.Size]
) -> None:
    images = torch.rand(3, 3, 64, 64)
    found = run_as(plain, COMPILED).encode_image(images, regions=True)
    assert torch.allclose(found, plain.encode_image(images, regions=True), atol=1e-5)
    assert {shape[0] for shape in shapes} == {ROWS}


def test_what_asks_for_no_gradients_runs_plainly(plain: Backbone, shapes: list[torch.Size]) -> None:
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        found = run_as(plain, COMPILED).encode_image(images)
        assert torch.equal(found, plain.encode_image(images))
    assert shapes == []


def test_what_is_compiled_is_kept_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    for given, kept in (
        ("", tmp_path),
        (f"{gettempdir()}/torchinductor_me", tmp_path),  # as torch sets it when it is imported
        ("/data/torchinductor_mine", Path("/data/torchinductor_mine")),
    ):
        monkeypatch.setenv(CACHE_VARIABLE, given)
        keep_compiled(tmp_path)
        assert os.environ[CACHE_VARIABLE] == str(kept)


@pytest.mark.slow  # a C++ compiler is started
@pytest.mark.parametrize("running", [COMPILED, BlockRunning(ROWS, checkpointing=True)])
@pytest.mark.skipif(
    compile_problem(torch.device("cpu")) != "", reason="torch.compile cannot work here"
)
def test_compiled_blocks_train_as_plain_ones(
    plain: Backbone, default_config: Make, running: BlockRunning, tmp_path_factory
) -> None:
    keep_compiled(tmp_path_factory.getbasetemp() / "compiled")
    torch._dynamo.reset()
    backbone = run_as(plain, running)
    # capt: prompts in the blocks of both towers, and an attack.
    config = default_config(
        method="capt", batch_size=ROWS, local_epochs=1, attack_steps=1, learning_rate=0.01
    )
    expected, found = trained(plain, config), trained(backbone, config)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-5, atol=1e-5), name
    graphs = counters["stats"]["unique_graphs"]
    trained(backbone, config, images=5)
    assert counters["stats"]["unique_graphs"] == graphs, "a batch of another size was compiled"
