"""Attacking a finished run again gives the numbers of the run itself, and pictures of it."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from fedmvp_core.errors import AttackError, CheckpointError, ConfigError
from fedmvp_core.metrics.measures import correct
from simulations.attack import run as attack_run
from simulations.attack.drawing import draw_examples
from simulations.attack.names import AttackName
from simulations.attack.run import TUNED, ZERO_SHOT, attack_target, chosen_evaluations, make_target
from simulations.report import write_report
from simulations.report.attacked import candidates, examples_of
from simulations.runner.saved_run import load_saved_run

PGD = AttackName("pgd", 2, "4/255")
NONE = torch.arange(0)


@pytest.fixture(scope="module")
def saved(attacked_run):
    return load_saved_run(attacked_run)


def metrics(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return {
            (int(r["round"]), r["split"], r["metric"]): float(r["value"])
            for r in csv.DictReader(file)
        }


def accuracy(attacked):
    return attacked.robust.double().mean().item()


@pytest.mark.parametrize("split", ["base", "new"])
def test_the_run_s_own_attack_finds_what_the_run_found(attacked_run, saved, split):
    known = metrics(attacked_run)
    (evaluation,) = chosen_evaluations(saved, [split])
    target = make_target(saved, evaluation, 0, zero_shot=True)
    for model, prefix, round in ((TUNED, "", 2), (ZERO_SHOT, "zero-shot-", 0)):
        found = attack_target(saved, target, model, PGD, NONE)
        assert accuracy(found) == known[round, split, f"{prefix}robust-accuracy[{PGD.label}]"]
        clean = correct(target.probabilities[model], target.images.labels).double().mean().item()
        assert clean == pytest.approx(known[round, split, f"{prefix}accuracy"])


def test_a_part_of_the_images_is_the_part_that_the_run_attacked_between_rounds(attacked_run):
    early = load_saved_run(attacked_run, round=1)
    known = metrics(attacked_run)
    for evaluation in early.setting.evaluations:
        target = make_target(early, evaluation, 4, zero_shot=False)
        assert len(target.images) == known[1, evaluation.name, "attacked-images"] == 4
        found = attack_target(early, target, TUNED, PGD, NONE)
        assert accuracy(found) == known[1, evaluation.name, f"robust-accuracy[{PGD.label}]"]


def test_batches_change_nothing_where_nothing_is_drawn(saved):
    target = make_target(saved, saved.setting.evaluations[0], 0, zero_shot=False)
    fgsm = AttackName("fgsm", 1, "4/255")
    kept = torch.tensor([5, 0, 3])
    work = []
    whole = attack_target(saved, target, TUNED, fgsm, kept)
    parts = attack_target(
        saved, target, TUNED, fgsm, kept, 4, on_work=lambda seen, done: work.append((seen, done))
    )
    assert torch.equal(whole.robust, parts.robust)
    torch.testing.assert_close(whole.kept, parts.kept)
    assert sum(done for _, done in work) == len(target.images)
    assert sum(seen for seen, _ in work) >= len(target.images)
    # In the order asked for, and within epsilon of their own clean images.
    clean = target.images.images[kept].float() / 255
    assert (parts.kept - clean).abs().amax() <= 4 / 255 + 1e-6
    assert (parts.kept - clean.roll(1, 0)).abs().amax() > 4 / 255


def test_a_split_of_one_class_cannot_be_attacked(saved):
    (evaluation, *_) = saved.setting.evaluations
    lone = evaluation.images.of_classes(evaluation.task.class_names[:1])
    task = saved.setting.make_task(evaluation.task.class_names[:1])
    target = make_target(saved, type(evaluation)("base", lone, task), 0, zero_shot=False)
    found = attack_target(saved, target, TUNED, PGD, torch.tensor([0]))
    assert found.robust.all()
    assert torch.equal(found.kept, lone.images[:1].float() / 255)


def test_too_little_memory_is_an_error_with_a_way_out(saved, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    target = make_target(saved, saved.setting.evaluations[0], 2, zero_shot=False)
    monkeypatch.setattr(attack_run, "evaluate_under_attack", full)
    with pytest.raises(AttackError, match="attack 2 images at once; a smaller batch-size helps"):
        attack_target(saved, target, TUNED, PGD, NONE)


def test_an_unknown_split_is_refused(saved):
    with pytest.raises(ConfigError, match="split is 'old'; allowed with setting 'base-to-new'"):
        chosen_evaluations(saved, ["base", "old"])


def test_candidates_are_right_before_the_attack_as_far_as_there_are_such(saved):
    target = make_target(saved, saved.setting.evaluations[0], 0, zero_shot=True)
    right = sum(
        correct(target.probabilities[model], target.images.labels).int() for model in target.models
    )
    chosen = candidates(target, 5)
    assert right[chosen].tolist() == sorted(right.tolist(), reverse=True)[:5]


def test_examples_show_each_model_its_own_perturbation(saved, tmp_path):
    target = make_target(saved, saved.setting.evaluations[0], 0, zero_shot=True)
    kept = candidates(target, 6)
    attacked = {m: attack_target(saved, target, m, PGD, kept) for m in target.models}
    examples = examples_of(target, PGD, attacked, kept, 3)
    assert len(examples) == 3
    for example in examples:
        assert [view.model for view in example.views] == [ZERO_SHOT, TUNED]
        for view in example.views:
            changed = view.adversarial.astype(int) - example.picture
            shown = view.perturbation.astype(int) - 128
            # What is wrong anyway needs no change.
            assert np.abs(changed).max() == (4 if view.clean.right else 0)
            # Epsilon is half of the contrast: 4 of 255 levels are shown as about 127.
            assert np.abs(shown - 127.5 / 4 * changed).max() < 20
            assert view.attacked.right == (view.attacked.name == example.truth)
            assert view.clean.right >= view.attacked.right
    path = tmp_path / "deep" / "picture.png"
    draw_examples(path, PGD, examples)
    with Image.open(path) as picture:
        assert picture.width > 800
        assert picture.height > 500


def test_the_report_shows_attacked_pictures(attacked_run, saved, tmp_path):
    for item in attacked_run.iterdir():
        if item.is_file():
            (tmp_path / item.name).write_bytes(item.read_bytes())
    text = write_report(tmp_path, saved).read_text()
    assert "Attacked pictures" in text
    assert "PGD, 10 steps, ε = 4/255. The perturbation is shown 32 times stronger" in text
    for split in ("base", "new"):
        assert f"· {split}</div>" in text
    assert text.count('alt="perturbation against tuned"') == 6


def test_another_method_s_configuration_does_not_fit_the_checkpoint(attacked_run, tmp_path):
    (tmp_path / "checkpoints").symlink_to(attacked_run / "checkpoints")
    text = (attacked_run / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"method": "fedmvp"', '"method": "zs-clip"'))
    with pytest.raises(CheckpointError, match="holds prompt tensors of schema"):
        load_saved_run(tmp_path)
    (tmp_path / "config.json").write_text(
        text.replace('"method": "fedmvp"', '"method": "unheard-of"')
    )
    with pytest.raises(CheckpointError, match="lacks a plugin: method is 'unheard-of'"):
        load_saved_run(tmp_path)


def test_draws_are_passes_of_the_model_that_change_nothing_where_nothing_is_drawn(saved):
    target = make_target(saved, saved.setting.evaluations[0], 4, zero_shot=False)
    fgsm = AttackName("fgsm", 1, "4/255")
    passed = {1: 0, 2: 0}
    found = {}
    for passes in passed:

        def count(through, finished, passes=passes):
            passed[passes] += through

        found[passes] = attack_target(saved, target, TUNED, fgsm, NONE, 4, count, passes)
    assert passed[2] == 2 * passed[1] > 0
    torch.testing.assert_close(found[2].probabilities, found[1].probabilities)
