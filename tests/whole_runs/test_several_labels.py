"""A federation on images with several labels, from the scenes to the tables."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder
from method_checks import far_apart

from fedmvp_core.config import RunConfig
from fedmvp_core.data.emoji import scenes as emojiscenes

ATTACK = "[pgd-2 eps=1/255]"
Make = Callable[..., RunConfig]


@pytest.fixture
def scenes_run(default_config: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Runs on few scenes, with the embedded weights."""
    emojiscenes._load.cache_clear()
    monkeypatch.setattr(emojiscenes, "SCENES", {"train": 32, "validation": 24, "test": 24})

    def make(**overrides: Any) -> RunConfig:
        small: dict[str, Any] = {
            "dataset": "emojiscenes",
            "setting": "multi-label",
            "partition": "iid",
            "pretrained": "embedded",
            "rounds": 2,
            "local_epochs": 2,
            "batch_size": 12,
            "learning_rate": 0.02,
            "evaluate_every": 1,
            "robust_attack": "pgd",
            "robust_steps": 2,
            "robust_epsilon": "1/255",
            "robust_every": 0,
            "robust_images": 8,
        }
        return default_config(**(small | overrides))

    yield make
    emojiscenes._load.cache_clear()


def values(config: RunConfig, round: int, split: str = "all") -> dict[str, float]:
    return {m: v for n, s, m, v in metric_rows(config) if (n, s) == (round, split)}


def test_it_trains_and_everything_is_measured_under_its_own_name(scenes_run: Make) -> None:
    config = scenes_run(run_name="plain")
    run_federation(config, clients=2)
    first, last = values(config, 0), values(config, 2)
    counted = {"map", "cp", "cr", "cf1", "op", "or", "of1", "f1@3", "calibration-error"}
    counted |= {"classes-without-positives", "oracle-cf1", "oracle-of1"}
    chosen = {f"{name}[validation-threshold]" for name in ("cf1", "of1")}
    robust = {f"robust-{name}{ATTACK}" for name in ("map", "cf1", "of1")}
    aligned = {"alignment", f"attacked-alignment{ATTACK}", "attacked-images"}
    frozen = {f"zero-shot-{name}" for name in counted | chosen | robust | aligned}
    assert set(values(config, 1)) == counted
    assert set(last) == counted | chosen | robust | aligned
    assert set(first) == counted | robust | aligned | frozen
    assert all(math.isfinite(value) for value in (*first.values(), *last.values()))
    assert first["attacked-images"] == 8
    assert last["attacked-images"] == 24
    assert last[f"robust-map{ATTACK}"] < last["map"]
    loss = [v for _, s, m, v in metric_rows(config) if (s, m) == ("train", "loss")]
    assert loss[1] < loss[0]
    header, *rows = (run_folder(config) / "classes.csv").read_text().splitlines()
    assert header == "split,class,images,zero_shot_average_precision,average_precision"
    assert len(rows) == 72 - last["classes-without-positives"]


@pytest.mark.parametrize("method", ["fedmvp-capt", "apt"])
def test_adversarial_training_with_hidden_labels(scenes_run: Make, method: str) -> None:
    """What is hidden from training is known to the test, and changes no image that a client has."""
    few = {"method": method, "rounds": 1, "local_epochs": 1, "attack_steps": 1}
    few["robust_attack"] = "none"
    whole = scenes_run(run_name="whole", **few)
    hidden = scenes_run(run_name="hidden", mask_rate=0.5, **few)
    for config in (whole, hidden):
        run_federation(config, clients=2)
    assert values(whole, 0) == values(hidden, 0)
    shards = [(run_folder(config) / "shards.json").read_text() for config in (whole, hidden)]
    assert shards[0].count("num-examples") == shards[1].count("num-examples") == 2
    loss = [values(config, 1, "train")["loss"] for config in (whole, hidden)]
    assert loss[1] < 0.75 * loss[0]  # a sum over half as many labels
    before, after = final_tensors(whole), final_tensors(hidden)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_unseen_labels_are_ranked_alone_and_with_the_others(scenes_run: Make) -> None:
    config = scenes_run(
        run_name="gzsl", setting="gzsl", robust_attack="none", rounds=1, fraction_evaluate=1.0
    )
    run_federation(config, clients=2)
    found = {split: values(config, 1, split)["map"] for split in ("seen", "unseen", "all")}
    assert 0 < values(config, 1, "clients")["validation-map"] < 1
    mean = values(config, 1, "harmonic-mean")
    assert mean == {"map": pytest.approx(2 / (1 / found["seen"] + 1 / found["unseen"]))}


def test_clients_of_one_batch_train_as_one_after_the_other(scenes_run: Make) -> None:
    keys = {"method": "capt", "attack_steps": 1, "local_epochs": 1, "robust_attack": "none"}
    serial = scenes_run(run_name="serial", evaluate_every=5, **keys)
    batched = serial.with_values(run_name="batched", clients_per_batch=2)
    for config in (serial, batched):
        run_federation(config, 2)
    assert far_apart(final_tensors(serial), final_tensors(batched)) < 1e-4  # with an attack
