"""Checkpoints in every published form load to the same features; others are refused by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.backbone.checkpoints import read_checkpoint
from fedmvp_core.backbone.state_dicts import OPENAI_EXTRAS
from fedmvp_core.errors import CheckpointError

NAME = "ViT-S-32-alt"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Weights that are no multiples of the random ones, exact in float16 as OpenAI's are."""
    weights = load_backbone(NAME).clip.state_dict()
    return {name: (1.25 * value).half().float() for name, value in weights.items()}


@pytest.fixture(scope="module")
def expected(state: State) -> State:
    """Features of these weights, with plain GELU and with quick-GELU."""
    plain, quick = load_backbone(NAME), load_backbone(NAME)
    use_quick_gelu(quick)
    for backbone in (plain, quick):
        backbone.clip.load_state_dict(state)
    features = {"gelu": features_of(plain), "quick_gelu": features_of(quick)}
    assert not torch.allclose(features["gelu"], features["quick_gelu"], atol=1e-3)
    return features


def test_openai_state_dict(state: State, expected: State, tmp_path: Path) -> None:
    openai = {name: value.half() for name, value in state.items()}
    extras = dict(zip(OPENAI_EXTRAS, torch.tensor([224, 77, 49408]), strict=True))
    torch.save({**openai, **extras}, tmp_path / "clip.pt")
    assert_loads_to(expected["quick_gelu"], tmp_path / "clip.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_openai_archive(state: State, expected: State, tmp_path: Path) -> None:
    openai = {name: value.half() for name, value in state.items()}
    torch.jit.script(nested_module(openai)).save(str(tmp_path / "clip.pt"))
    assert_loads_to(expected["quick_gelu"], tmp_path / "clip.pt")


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_open_clip_form(
    prefix: str, wrapped: bool, zipped: bool, state: State, expected: State, tmp_path: Path
) -> None:
    content: dict[str, Any] = {prefix + name: value for name, value in state.items()}
    if wrapped:
        content = {"epoch": 3, "name": "run", "state_dict": content, "optimizer": {"lr": 0.1}}
    torch.save(content, tmp_path / "clip.pt", _use_new_zipfile_serialization=zipped)
    assert_loads_to(expected["gelu"], tmp_path / "clip.pt")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_safetensors(dtype: torch.dtype, state: State, expected: State, tmp_path: Path) -> None:
    content = {name: value.to(dtype) for name, value in state.items()}
    save_file(content, tmp_path / "clip.safetensors")
    assert_loads_to(expected["gelu"], tmp_path / "clip.safetensors")


def test_logit_scale_of_one_element_is_accepted(state: State, tmp_path: Path) -> None:
    content = {**state, "logit_scale": state["logit_scale"].reshape(1)}
    save_file(content, tmp_path / "clip.safetensors")
    loaded = load_backbone(NAME, tmp_path / "clip.safetensors")
    assert torch.equal(loaded.logit_scale, state["logit_scale"].exp())


def test_another_architecture_is_refused_with_the_first_misfit(
    state: State, tmp_path: Path
) -> None:
    path = tmp_path / "small.pt"
    torch.save(state, path)
    with pytest.raises(CheckpointError) as caught:
        load_backbone("ViT-B-32", path)
    assert str(caught.value) == (
        f"the checkpoint {path} does not fit the backbone 'ViT-B-32': "
        "'positional_embedding' has shape (77, 256), expected (77, 512)."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("visual.proj"), r"'visual\.proj' of shape \(384, 256\) is missing"),
        (lambda s: s.update(extra=torch.zeros(1)), "holds a tensor 'extra' that this .* lacks"),
        (lambda s: s.update(note="text"), "no plain state dict: 'note' is a str"),
        (lambda s: s.clear(), "holds no state dict"),
    ],
)
def test_other_contents_are_refused(
    change: Any, message: str, state: State, tmp_path: Path
) -> None:
    content: dict[str, Any] = dict(state)
    change(content)
    torch.save(content, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match=message):
        load_backbone(NAME, tmp_path / "clip.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.6, 0.999])
def test_files_cut_short_are_refused(
    suffix: str, kept: float, state: State, tmp_path: Path
) -> None:
    path = tmp_path / f"clip{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CheckpointError, match=f"{path} cannot be read") as caught:
        load_backbone(NAME, path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_code_in_pickles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt does not exist"):
        read_checkpoint(tmp_path / "nowhere.pt")
    torch.save({"weights": Path("an object")}, tmp_path / "code.pt")
    with pytest.raises(CheckpointError, match=r"code\.pt cannot be read.*UnpicklingError"):
        read_checkpoint(tmp_path / "code.pt")


def features_of(backbone: Backbone) -> Tensor:
    """(4, embed_dim): two images, then two sentences."""
    size = backbone.image_size
    images = torch.linspace(0, 1, 6 * size * size).reshape(2, 3, size, size)
    with torch.no_grad():
        sentences = backbone.encode_text(["a cat", "a long red train"])
        return torch.cat([backbone.encode_image(images), sentences])


def assert_loads_to(features: Tensor, path: Path) -> None:
    backbone = load_backbone(NAME, path)
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in backbone.parameters())
    assert torch.equal(features_of(backbone), features)


def use_quick_gelu(backbone: Backbone) -> None:
    class Quick(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(1.702 * x)

    for blocks in (backbone.clip.visual.transformer.resblocks, backbone.clip.transformer.resblocks):
        for block in blocks:
            block.mlp.gelu = Quick()


def nested_module(state: Mapping[str, Tensor]) -> nn.Module:
    """A module whose state dict is `state` and OpenAI's extra entries."""
    root = nn.Module()
    for name, value in state.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, nn.Module())
            module = getattr(module, parent)
        module.register_parameter(leaf, nn.Parameter(value, requires_grad=False))
    for name in OPENAI_EXTRAS:
        root.register_buffer(name, torch.tensor(224))
    return root
