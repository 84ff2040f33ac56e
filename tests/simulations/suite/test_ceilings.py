"""The ceilings: they fit what they are trained on, and leave the backbone as it was."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from fedmvp_core.config import RunConfig
from fedmvp_core.metrics.names import of_metric
from simulations.suite import ceilings


@pytest.fixture
def pooled(default_config: Callable[..., RunConfig], picture_folder: Path) -> ceilings._Pooled:
    config = default_config(dataset="imagefolder", data_dir=str(picture_folder), shots=3)
    return ceilings._pool(config, clients=3)


def test_shards_are_pooled_whole(pooled: ceilings._Pooled) -> None:
    assert set(pooled.images.class_counts().values()) == {3}
    assert pooled.images.class_names == pooled.setting.train.class_names


def test_a_linear_probe_fits_its_own_training_images(pooled: ceilings._Pooled) -> None:
    base = dataclasses.replace(pooled.setting.evaluations[0], images=pooled.images)
    setting = dataclasses.replace(pooled.setting, evaluations=(base,))
    fitted = ceilings.linear_probe(dataclasses.replace(pooled, setting=setting))
    assert fitted == {"base": 1.0}


def test_fine_tuning_moves_accuracies_and_restores_the_backbone(
    pooled: ceilings._Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceilings, "FINE_TUNING_EPOCHS", 3)
    before = {name: value.clone() for name, value in pooled.backbone.state_dict().items()}
    reached = ceilings.fine_tuned(pooled)
    assert {"local", "base", "new", "harmonic-mean"} <= set(reached)
    assert reached != of_metric(pooled.evaluation.zero_shot(), "accuracy")
    after = pooled.backbone.state_dict()
    assert all(after[name].equal(value) for name, value in before.items())
    assert not any(parameter.requires_grad for parameter in pooled.backbone.parameters())


def test_a_linear_probe_of_several_data_sets_chooses_among_the_classes_of_one(
    default_config: Callable[..., RunConfig],
) -> None:
    config = default_config(dataset="emoji-activities,emoji-food-drink", shots=1)
    fitted = ceilings.linear_probe(ceilings._pool(config, clients=2))
    assert set(fitted) == {"base-emoji-activities", "base-emoji-food-drink", "base"}
    assert fitted["base"] == pytest.approx(
        (fitted["base-emoji-activities"] + fitted["base-emoji-food-drink"]) / 2
    )
    assert fitted["base-emoji-activities"] > 0.5, "of two classes, random features or not"
