"""`fedmvp bench gpu`: what it says without a GPU, what it would measure, and where it writes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from fedmvp_core.errors import DataError
from simulations.bench import gpu
from simulations.bench.inputs import Inputs
from simulations.bench.page import BEGIN, END, write_between
from simulations.bench.record import Measured
from simulations.bench.sizes import chosen_sizes
from simulations.cli import app

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_sentence_is_said_and_nothing_is_measured() -> None:
    result = CliRunner().invoke(app, ["bench", "wire", "gpu"])
    assert result.exit_code == 2
    sentence = " ".join(result.output.split())
    assert sentence == "error: device is 'cuda', but torch finds no GPU here; nothing was measured"


def test_every_piece_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = Inputs(chosen_sizes(quick=False, device="cuda", backbone="ViT-B-16"))
    names = [name for name, _ in gpu.pieces(inputs)]
    for part in ("step", "attack", "evaluation"):
        for precision in ("fp32", "bf16"):
            assert {f"{part}, {precision}, batch {n}" for n in (16, 128)} <= set(names)
    assert (names[0], names[-1]) == ("encoder", "clients side by side")
    others = {"step with compile", "step with activation-checkpointing", "clients in one batch"}
    assert others <= set(names)


@pytest.mark.slow
def test_on_a_cpu_the_pieces_run_and_a_failed_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(inputs: Inputs) -> list[Measured]:
        raise DataError("no clients here")

    monkeypatch.setattr(gpu.side_by_side, "measure", refused)
    all_pieces = gpu.pieces

    def few_pieces(inputs: Inputs) -> list[tuple[str, Any]]:
        """Without that which starts a C++ compiler; what it compiles is tested elsewhere."""
        return [(name, made) for name, made in all_pieces(inputs) if "with compile" not in name]

    monkeypatch.setattr(gpu, "pieces", few_pieces)
    sizes = chosen_sizes(quick=True, turns=1, batch=2, attack_steps=0)
    found = gpu.measure(Inputs(sizes))
    titles = [part.title for part in found]
    assert titles[:3] == ["encoder", "a step of fedmvp", "PGD-1 in training"]
    encoder = found[0]
    assert encoder.facts["share of peak"]["matrix product"] == 1
    assert 0 < encoder.facts["TFLOP/s"]["encode"] < 10


def test_tables_take_the_place_of_what_stands_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between(page, "| new |")
    write_between(page, "| newer |")
    assert page.read_text() == f"before\n{BEGIN}\n\n| newer |\n\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_both_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(DataError, match=r"page\.md has not"):
        write_between(page, "new")
    assert page.read_text() == text


def test_the_page_of_measurements_has_the_markers() -> None:
    content = (PROJECT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert content.count(BEGIN) == content.count(END) == 1
    assert content.index(BEGIN) < content.index(END)
