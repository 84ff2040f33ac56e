"""`fedmvp export`: the card, and runs that have no model to take away."""

from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub
import pytest
import torch
from typer.testing import CliRunner

import fedmvp
from fedmvp_assets import __file__ as assets
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.tuned import MODEL_FILE, read_export
from simulations import cli
from simulations.export.writing import export_run


def test_the_card_has_the_numbers_the_classes_and_three_lines(
    exports: Mapping[str, tuple[Path, Path]],
) -> None:
    card = (exports["capt"][1] / "README.md").read_text()
    for words in (
        "import fedmvp",
        "fedmvp.load(",
        "model.classify(",
        "weights hash",
        "imagefolder",
    ):
        assert words in card
    assert "Trained classes (3): ant, bee, cow." in card
    assert "| base |" in card
    assert "without differential privacy" in card


def test_a_card_of_an_attacked_run_names_the_attack(attacked_run: Path, tmp_path: Path) -> None:
    card = (export_run(attacked_run, tmp_path / "model") / "README.md").read_text()
    assert "tuned under PGD, 2 steps, ε = 4/255" in card


@pytest.mark.parametrize(
    ("method", "sentence"),
    [("zs-clip", "trains nothing"), ("fedpgp", "lets each client keep")],
)
def test_a_run_without_one_model_is_refused(
    make_run: Callable[[str], Path], method: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"method '{method}' {sentence}"):
        export_run(make_run(method), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_of_something_else_is_left_alone(
    exports: Mapping[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds a README\.md of something else"):
        export_run(exports["promptfl"][0], tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_weights_of_ones_own_must_be_given_again(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    weights = Path(assets).parent / "tiny_clip" / "model.safetensors"
    run = make_run("promptfl", pretrained=str(weights))
    folder = export_run(run, tmp_path / "model")
    content = (folder / MODEL_FILE).read_bytes() + (folder / "README.md").read_bytes()
    assert str(weights.parent).encode() not in content
    with pytest.raises(CheckpointError, match=r"'local:model\.safetensors', which only its owner"):
        fedmvp.load(folder, device="cpu")
    images = torch.rand(2, 3, 64, 64)
    loaded = [fedmvp.load(folder, b, "cpu") for b in (("tiny", str(weights)), weights)]
    assert torch.equal(loaded[0].logits(images), loaded[1].logits(images))


def test_several_data_sets_keep_their_own_sentences(
    make_run: Callable[..., Path], tmp_path: Path
) -> None:
    several = {"dataset": "emoji-food-drink,digits", "data_dir": "", "attributes": "none"}
    run = make_run("promptfl", partition="disjoint-classes", **several)
    exported, _ = read_export(export_run(run, tmp_path / "model") / MODEL_FILE)
    names = ("digits/three", "emoji-food-drink/drink")
    assert exported.task_of(names).class_sentences() == [
        "a picture of the number three.",
        "a picture of a drink.",
    ]
    mixed = exported.task_of(("lorry", "digits/three"))
    assert mixed.class_sentences()[1] == "a picture of the number three."
    assert mixed.spoken_names == ("lorry", "three")


def test_a_run_is_pushed_with_a_card_that_names_the_hub_id(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put: dict[str, str] = {}

    class Api:
        def create_repo(self, hub_id: str, **words: object) -> str:
            return f"https://hub/{hub_id}"

        def upload_folder(self, repo_id: str, folder_path: Path, **words: object) -> None:
            put[repo_id] = (folder_path / "README.md").read_text(encoding="utf-8")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    done = CliRunner().invoke(cli.app, ["push", str(make_run("promptfl")), "someone/ants"])
    assert done.exit_code == 0, done.output
    assert "pushed: https://hub/someone/ants" in done.output
    assert 'fedmvp.load("someone/ants")' in put["someone/ants"]
