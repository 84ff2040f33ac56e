"""Names of tensors as programs save them: prefixes, wrappers, Transformers' own."""

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.errors import CheckpointError

State = dict[str, Tensor]
_TRANSFORMERS = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "text_projection": "text_projection.weight",
    "visual.proj": "visual_projection.weight",
}


@pytest.fixture(scope="module")
def state() -> State:
    weights = load_backbone("tiny").clip.state_dict()
    return {name: (1.25 * value).half().float() for name, value in weights.items()}


def same(backbone: Backbone, state: State) -> bool:
    loaded = backbone.clip.state_dict()
    return all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "clip_model.",
        "clip.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "model.clip_model.",
        "net.student.",
    ],
)
def test_a_prefix_of_all_names_is_taken_off_and_said(
    prefix: str, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "clip.safetensors"
    save_file({prefix + name: value for name, value in state.items()}, path)
    with caplog.at_level(logging.INFO, "fedmvp_core"):
        backbone = load_backbone("tiny", path)
    assert same(backbone, state)
    (note,) = backbone.notes
    assert note.endswith(f"taken off the names of the tensors of {path}")
    assert note in caplog.text


@pytest.mark.parametrize("wrapped", ["visual.", "visual.transformer.", "transformer.resblocks.0."])
@pytest.mark.parametrize("word", ["_orig_mod.", "_fsdp_wrapped_module."])
def test_a_part_that_was_wrapped_alone(
    wrapped: str, word: str, state: State, tmp_path: Path
) -> None:
    content = {name.replace(wrapped, wrapped + word, 1): value for name, value in state.items()}
    assert content.keys() != state.keys()
    torch.save(content, tmp_path / "clip.pt")
    backbone = load_backbone("tiny", tmp_path / "clip.pt")
    assert same(backbone, state)
    assert f"'{word}' was taken off" in backbone.notes[0]


@pytest.mark.parametrize("prefix", ["", "model.", "module.clip.", "_orig_mod."])
def test_image_towers_under_a_prefix(prefix: str, state: State, tmp_path: Path) -> None:
    tower = {name: value for name, value in state.items() if name.startswith("visual.")}
    save_file({prefix + name: value for name, value in tower.items()}, tmp_path / "t.pt")
    backbone = load_backbone("tiny", f"embedded+{tmp_path / 't.pt'}")
    assert same(backbone, tower)
    assert bool(backbone.notes) == bool(prefix)


def test_names_without_a_prefix_have_no_note(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "clip.pt")
    assert load_backbone("tiny", tmp_path / "clip.pt").notes == ()
    assert load_backbone("tiny", "embedded-robust").notes == ()


def test_a_clip_beside_other_tensors_is_told_apart(state: State, tmp_path: Path) -> None:
    content = {f"model.clip.{name}": value for name, value in state.items()}
    torch.save({**content, "model.head.weight": torch.zeros(3)}, tmp_path / "clip.pt")
    message = r"under the prefix 'model\.clip\.' beside 1 other tensors \('model\.head\.weight'\)"
    with pytest.raises(CheckpointError, match=message):
        load_backbone("tiny", tmp_path / "clip.pt")


def test_a_model_and_its_compiled_copy_are_not_merged(state: State, tmp_path: Path) -> None:
    copy = {f"_orig_mod.{name}": value for name, value in state.items()}
    torch.save({**state, **copy}, tmp_path / "clip.pt")
    with pytest.raises(CheckpointError, match="a model and a compiled copy"):
        load_backbone("tiny", tmp_path / "clip.pt")


def test_a_prefix_that_hides_no_clip_stays(tmp_path: Path) -> None:
    torch.save(
        {"encoder.weight": torch.zeros(3), "encoder.bias": torch.zeros(3)}, tmp_path / "m.pt"
    )
    with pytest.raises(CheckpointError, match=r"'positional_embedding' of shape .* is missing"):
        load_backbone("tiny", tmp_path / "m.pt")


def test_open_clip_s_custom_text_names(state: State, tmp_path: Path) -> None:
    text = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
    content = {f"text.{n}" if n.startswith(text) else n: value for n, value in state.items()}
    assert "text.positional_embedding" in content
    torch.save(content, tmp_path / "clip.pt")
    assert same(load_backbone("tiny", tmp_path / "clip.pt"), state)


def as_transformers(state: State) -> State:
    """The names and shapes of a CLIPModel's state dict."""
    content: State = {}
    for name, value in state.items():
        if name in ("text_projection", "visual.proj"):
            content[_TRANSFORMERS[name]] = value.T.contiguous()
        elif name in _TRANSFORMERS or name == "logit_scale":
            content[_TRANSFORMERS.get(name, name)] = value
        elif "resblocks" in name:
            content |= as_layer(name, value)
        else:
            tower = "vision_model." if name.startswith("visual.") else "text_model."
            norm, _, leaf = name.removeprefix("visual.").partition(".")
            names = {"ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"}
            content[f"{tower}{names.get(norm, 'final_layer_norm')}.{leaf}"] = value
    return content


def as_layer(name: str, value: Tensor) -> State:
    tower = "vision_model" if name.startswith("visual.") else "text_model"
    number, _, part = name.partition("resblocks.")[2].partition(".")
    stem = f"{tower}.encoder.layers.{number}."
    if part.startswith("attn.in_proj_"):
        leaf = part.removeprefix("attn.in_proj_")
        thirds = zip("qkv", value.chunk(3), strict=True)
        return {f"{stem}self_attn.{p}_proj.{leaf}": third.clone() for p, third in thirds}
    words = {"attn.": "self_attn.", "ln_1": "layer_norm1", "ln_2": "layer_norm2"}
    for before, after in {**words, "c_fc": "fc1", "c_proj": "fc2"}.items():
        part = part.replace(before, after, 1) if before != "c_proj" or "mlp" in part else part
    return {stem + part: value}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("prefix", ["", "clip_model."])
def test_transformers_clip_model(prefix: str, name: str, state: State, tmp_path: Path) -> None:
    content = {prefix + key: value for key, value in as_transformers(state).items()}
    assert f"{prefix}text_model.encoder.layers.2.self_attn.k_proj.weight" in content
    assert f"{prefix}vision_model.encoder.layers.0.mlp.fc2.bias" in content
    positions = torch.arange(32).reshape(1, -1)  # older versions saved these
    content[f"{prefix}text_model.embeddings.position_ids"] = positions
    (torch.save if name.endswith("bin") else save_file)(content, tmp_path / name)
    backbone = load_backbone("tiny", tmp_path / name)
    assert same(backbone, state)
    assert backbone.clip.state_dict().keys() == state.keys()


def test_transformers_image_tower_on_another_base(state: State, tmp_path: Path) -> None:
    content = as_transformers(state)
    tower = {k: v for k, v in content.items() if k.startswith(("vision_model.", "visual_pro"))}
    torch.save(tower, tmp_path / "tower.bin")
    backbone = load_backbone("tiny", f"embedded+{tmp_path / 'tower.bin'}")
    assert same(backbone, {k: v for k, v in state.items() if k.startswith("visual.")})
    tower.pop("visual_projection.weight")  # a CLIPVisionModel has none
    torch.save(tower, tmp_path / "tower.bin")
    with pytest.raises(CheckpointError, match=r"'visual\.proj' of shape \(128, 128\) is missing"):
        load_backbone("tiny", f"embedded+{tmp_path / 'tower.bin'}")


@pytest.mark.parametrize(
    ("config", "activation"),
    [
        ({"text_config": {"hidden_act": "gelu"}, "vision_config": {"hidden_act": "gelu"}}, "GELU"),
        (
            {"text_config": {"hidden_act": "quick_gelu"}, "vision_config": {"patch_size": 32}},
            "quick-GELU",
        ),
        ({"text_config": {}, "vision_config": {}}, "quick-GELU"),
    ],
)
def test_transformers_config_tells_the_activation(
    config: dict[str, object], activation: str, state: State, tmp_path: Path
) -> None:
    save_file(as_transformers(state), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    backbone = load_backbone("tiny", tmp_path / "model.safetensors")
    assert str(backbone.activation) == f"{activation}, as {tmp_path / 'config.json'} says"
    kind = type(backbone.clip.transformer.resblocks[0].mlp.gelu).__name__
    assert kind == {"GELU": "GELU", "quick-GELU": "QuickGELU"}[activation]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text_config": {"hidden_act": "relu"}}', "hidden_act relu; allowed: gelu or quick_gelu"),
        (
            '{"text_config": {"hidden_act": "gelu"}, "vision_config": {}}',
            "hidden_act gelu and quick_gelu; allowed: .* the same for both towers",
        ),
        ("{'a': 1}", "cannot be read: line 1, column 2"),
        ("[1]", "holds a list, not an object"),
    ],
)
def test_an_activation_that_no_clip_can_have_is_refused(
    text: str, message: str, state: State, tmp_path: Path
) -> None:
    save_file(as_transformers(state), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_backbone("tiny", tmp_path / "model.safetensors")
