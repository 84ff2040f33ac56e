"""`fedmvp export`: the card, and runs that have no model to take away."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fedmvp_core.errors import ConfigError
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
