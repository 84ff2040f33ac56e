"""The robust fine-tuning: its loss, that it resumes exactly, and what it never touches."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmvp_core.backbone import load_backbone, save_image_tower
from simulations.assets import zero_shot
from simulations.assets.captions import CaptionedPictures
from simulations.assets.fast_clip import build_tokenizer
from simulations.assets.robust_loss import Recipe, class_or_caption, learning_rate
from simulations.assets.robust_tiny_clip import Run, train_step

RECIPE = Recipe(steps=2, batch_size=8, warmup=1, whole_share=0.5)
PHRASES = ("cat", "mammal", "car", "vehicle", "square", "circle")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A cache of 12 pictures, three in each group; half of them with a known class."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8))
    names = np.tile(np.array([[0], [2], [4]]), (4, 8))
    kinds = np.tile(np.array([[1], [3], [-1]]), (4, 4))
    np.savez(tmp_path / "tables.npz", names=names, kinds=kinds, groups=np.arange(12) // 3)
    (tmp_path / "phrases.json").write_text(json.dumps(PHRASES))
    np.save(tmp_path / "teacher.npy", np.eye(len(PHRASES), 384, dtype=np.float16))
    np.save(tmp_path / "classes.npy", np.array([1, -1, 3, -1, -1, -1]))
    return tmp_path


def take_steps(run: Run, data: CaptionedPictures, steps: int) -> Run:
    for _ in range(steps):
        loss = train_step(run, run.tower, run.first, data)
        assert torch.isfinite(loss)
    return run


def test_a_resumed_run_equals_one_that_was_not_stopped(work: Path) -> None:
    data = CaptionedPictures(work, build_tokenizer())
    whole = take_steps(Run(work, RECIPE, "whole"), data, 2)
    take_steps(Run(work, RECIPE, "halves"), data, 1).save()
    halves = Run(work, RECIPE, "halves")
    halves.resume()
    take_steps(halves, data, 1)
    assert halves.step == whole.step == 2
    for one, other in zip(halves.average, whole.average, strict=True):
        assert torch.equal(one, other)


def test_only_the_image_tower_learns_and_its_file_loads(work: Path) -> None:
    run = take_steps(Run(work, RECIPE, "run"), CaptionedPictures(work, build_tokenizer()), 1)
    first = load_backbone("tiny", "embedded").clip.state_dict()
    for name, value in run.clip.state_dict().items():
        assert torch.equal(value, first[name]) != name.startswith("visual."), name
    save_image_tower(run.averaged_model(), work / "run.safetensors")
    loaded = load_backbone("tiny", f"embedded+{work / 'run.safetensors'}").clip
    for kept, average in zip(loaded.visual.parameters(), run.average, strict=True):
        assert torch.equal(kept, average.half().float())


def test_a_picture_is_asked_for_its_class_or_else_for_its_caption() -> None:
    truth, hidden = class_or_caption(torch.tensor([1, -1, 0]), classes=2)
    assert truth.tolist() == [4, 1, 3]
    open_columns = [[3, 4], [0, 1, 2], [3, 4]]
    for row, columns in zip(hidden, open_columns, strict=True):
        assert (row == 0).nonzero()[:, 0].tolist() == columns
        assert torch.isneginf(row[row != 0]).all()


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    recipe = Recipe(steps=100, warmup=10, learning_rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(101)]
    assert rates[0] < 0.11
    assert max(rates) == pytest.approx(rates[9])
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[9:]))
    assert rates[100] == pytest.approx(0)


def test_the_shipped_checkpoint_keeps_more_under_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero_shot, "STYLES", ("twemoji",))
    tokenizer = build_tokenizer()

    def accuracy(pretrained: str, epsilon: float) -> float:
        model = load_backbone("tiny", pretrained).clip
        scores = zero_shot.measure(model, tokenizer, ("validation",), epsilon=epsilon, steps=3)
        return scores["mean"]

    robust = accuracy("embedded-robust", 4 / 255)
    assert robust > accuracy("embedded", 4 / 255) + 10
    assert 0.6 * accuracy("embedded-robust", 0.0) < robust
