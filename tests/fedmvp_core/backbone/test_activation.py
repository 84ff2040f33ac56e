"""Which activation weights get, how that is known, and that a guess is said to be one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.pretrained import get_pretrained_url
from safetensors.torch import save_file
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.backbone import activation as activations
from fedmvp_core.backbone.activation import GELU, QUICK_GELU, of_architecture, of_file, told_by_code
from fedmvp_core.backbone.state_dicts import OPENAI_EXTRAS
from fedmvp_core.backbone.weight_files import read_weight_file
from fedmvp_core.errors import ConfigError

NAME = "ViT-S-32-alt"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    weights: State = load_backbone(NAME).clip.state_dict()
    return {name: value.half().float() for name, value in weights.items()}


@pytest.fixture
def openai_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if OpenAI had published weights of the small architecture, which is quick to build."""
    tags = {"openai": {"quick_gelu": True, "url": ""}, "laion": {"url": ""}}
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda name: list(tags))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, tag: tags.get(tag, {}))


def kind(backbone: Backbone) -> str:
    """The module that runs, whatever is said of it."""
    blocks = (backbone.clip.visual.transformer.resblocks, backbone.clip.transformer.resblocks)
    kinds = {type(block.mlp.gelu).__name__ for tower in blocks for block in tower}
    assert len(kinds) == 1
    return kinds.pop()


def write_plain(state: State, path: Path) -> None:
    torch.save(state, path)


def write_half(state: State, path: Path) -> None:
    torch.save({name: value.half() for name, value in state.items()}, path)


def write_wrapped(state: State, path: Path) -> None:
    torch.save({"state_dict": state}, path)


def write_safetensors(state: State, path: Path) -> None:
    save_file(state, path)


@pytest.mark.usefixtures("openai_tag")
@pytest.mark.parametrize("write", [write_plain, write_half, write_wrapped, write_safetensors])
def test_a_guess_is_said_with_its_way_out(
    write: Callable[[State, Path], None], state: State, tmp_path: Path
) -> None:
    write(state, tmp_path / "clip.pt")
    backbone = load_backbone(NAME, tmp_path / "clip.pt")
    assert kind(backbone) == "GELU"
    said = str(backbone.activation)
    assert said.startswith(f"GELU, by the backbone's name '{NAME}', since clip.pt does not tell it")
    assert f"'openai' and what was fine-tuned from them) take backbone={NAME}-quickgelu" in said


@pytest.mark.usefixtures("openai_tag")
def test_a_tower_inherits_the_guess_of_its_base(state: State, tmp_path: Path) -> None:
    write_plain(state, tmp_path / "clip.pt")
    tower = {name: value for name, value in state.items() if name.startswith("visual.")}
    write_plain(tower, tmp_path / "tower.pt")
    backbone = load_backbone(NAME, f"{tmp_path / 'clip.pt'}+{tmp_path / 'tower.pt'}")
    assert backbone.activation == load_backbone(NAME, tmp_path / "clip.pt").activation
    assert backbone.activation.doubt
    openai = {**state, **dict.fromkeys(OPENAI_EXTRAS, torch.tensor(7))}
    write_plain(openai, tmp_path / "clip.pt")
    backbone = load_backbone(NAME, f"{tmp_path / 'clip.pt'}+{tmp_path / 'tower.pt'}")
    assert str(backbone.activation) == "quick-GELU, as the file is in OpenAI's form"
    assert kind(backbone) == "QuickGELU"


def test_without_weights_with_quick_gelu_there_is_no_doubt(state: State, tmp_path: Path) -> None:
    write_plain(state, tmp_path / "clip.pt")
    backbone = load_backbone(NAME, tmp_path / "clip.pt")
    assert str(backbone.activation) == f"GELU, by the backbone's name '{NAME}'"
    assert str(load_backbone("tiny", "embedded").activation).endswith("name 'tiny'")


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"])
def test_openai_s_names_have_both(name: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.pt"
    path.write_bytes(b"weights")
    for known, wanted, other in (
        (name, GELU, f"take backbone={name}-quickgelu"),
        (f"{name}-quickgelu", QUICK_GELU, f"trained with GELU take backbone={name}"),
    ):
        config = open_clip.get_model_config(known)
        named = of_architecture(known, config, None)
        found = of_file(known, named, path, {})
        assert (found.name, wanted) == (wanted, named.name)
        assert other in found.doubt


def test_a_published_file_is_known_by_the_hash_in_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "renamed.bin"
    path.write_bytes(b"what was published")
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    named = of_architecture("ViT-B-32", {}, None)
    addresses = {
        "openai": f"https://openaipublic.azureedge.net/clip/models/{known}/ViT-B-32.pt",
        "laion400m_e32": f"https://github.com/mlfoundations/x/vit_b_32-quickgelu-{known[:8]}.pt",
        "laion2b_e16": f"https://github.com/mlfoundations/x/vit_b_32-{known[:8]}.pth",
    }
    for tag, address in addresses.items():
        monkeypatch.setattr(
            activations,
            "get_pretrained_url",
            lambda name, asked, one=(tag, address): one[1] if asked == one[0] else "",
        )
        found = of_file("ViT-B-32", named, path, {})
        wanted = GELU if tag == "laion2b_e16" else QUICK_GELU
        said = f"as the file is that of the tag '{tag}' by its SHA-256"
        assert (found.name, found.why, found.doubt) == (wanted, said, "")
    path.write_bytes(b"something else")
    assert of_file("ViT-B-32", named, path, {}).doubt


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336"])
def test_open_clip_s_addresses_hold_openai_s_hashes(name: str) -> None:
    found = activations._hash_in(get_pretrained_url(name, "openai"))
    assert len(bytes.fromhex(found)) == 32
    assert activations._hash_in(get_pretrained_url("ViT-B-32", "laion2b_e16")) == "af8dbd0c"
    assert activations._hash_in("https://dl.fbaipublicfiles.com/MMPT/metaclip/b32_400m.pt") == ""


def test_what_looks_like_openai_s_is_said_not_decided(tmp_path: Path) -> None:
    path = tmp_path / "clip.pt"
    path.write_bytes(b"weights")
    drawn = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    looks = {
        "logit_scale": torch.tensor(4.6052),
        "visual.proj": drawn.half().float(),
        "text_projection": drawn.half().float(),
        "positional_embedding": drawn,
    }
    named = of_architecture("ViT-B-32", {}, None)
    found = of_file("ViT-B-32", named, path, looks)
    assert found.name == GELU
    assert found.doubt.endswith(
        "as in OpenAI's, these have a scale of 100 and matrices exact in float16"
    )
    for change in (
        {"logit_scale": torch.tensor(4.0)},
        {"visual.proj": drawn},
        {"positional_embedding": drawn.half().float()},  # all of it was saved as float16
    ):
        assert "OpenAI's, these" not in of_file("ViT-B-32", named, path, looks | change).doubt


class Quick(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Plain(Quick):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.gelu(x)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(("block", "activation"), [(Quick, QUICK_GELU), (Plain, GELU)])
def test_an_archive_s_own_code_tells(block: type[Quick], activation: str, tmp_path: Path) -> None:
    torch.jit.script(block()).save(str(tmp_path / "clip.pt"))
    content, code = read_weight_file(tmp_path / "clip.pt")
    assert list(content) == ["weight"]
    told = told_by_code(code)
    assert told is not None
    assert told.name == activation
    assert told_by_code(None) is None


@pytest.mark.parametrize("value", ["false", 1, None])
def test_a_config_s_activation_is_true_or_false(value: object, tmp_path: Path) -> None:
    architecture = open_clip.get_model_config(NAME) | {"quick_gelu": value}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": architecture}))
    with pytest.raises(ConfigError, match=rf"has quick_gelu {value!r}; allowed: true or false"):
        load_backbone(str(tmp_path))


def test_a_folder_s_config_says(state: State, tmp_path: Path) -> None:
    architecture = open_clip.get_model_config(NAME) | {"quick_gelu": True}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": architecture}))
    save_file(state, tmp_path / "open_clip_model.safetensors")
    backbone = load_backbone(str(tmp_path))
    assert str(backbone.activation) == "quick-GELU, as the folder's config says"
    assert kind(backbone) == "QuickGELU"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ViT-B-32-relu", "GELU ('ViT-B-32') or quick-GELU ('ViT-B-32-quickgelu') only"),
        ("ViT-B-32-quick_gelu", "did you mean 'ViT-B-32-quickgelu'"),
        ("ViT-S-32-alt-quickgelu", "GELU ('ViT-S-32-alt') only, not with 'quickgelu'"),
        ("tiny-gelu", "GELU ('tiny') only, not with 'gelu'"),
    ],
)
def test_an_activation_that_an_architecture_lacks(name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_backbone(name)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"backbone '{name}' is unknown")


def test_a_folder_of_transformers_says_how_to_use_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        ConfigError, match=rf"Transformers library.*pretrained={tmp_path}/model\.saf"
    ):
        load_backbone(str(tmp_path))
