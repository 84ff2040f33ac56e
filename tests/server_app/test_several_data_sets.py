"""A whole federation over two data sets: who holds what, and what is measured."""

import json
from collections.abc import Callable
from statistics import fmean, harmonic_mean

import pytest
import torch
from federation_harness import final_tensors, metric_rows, run_federation, run_folder

from fedmvp_core.backbone import FeatureCache, load_backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import load_setting
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.methods import find_method
from fedmvp_core.tasks import encode_task

Make = Callable[..., RunConfig]
DATASETS = ("emoji-activities", "emoji-objects")


@pytest.mark.parametrize(
    "chosen",
    [
        # Rows of each class's own, and attacks that aim at classes of the other data set.
        {"method": "paft", "attack_classes": "global"},
        {"method": "apt", "attack_classes": "global", "method.class-specific": True},
        {"method": "capt", "attack_classes": "local"},
    ],
    ids=lambda chosen: chosen["method"],
)
def test_a_federation_over_two_data_sets(default_config: Make, chosen: dict[str, object]) -> None:
    small = {"rounds": 1, "local_epochs": 1, "shots": 2, "attack_steps": 1}
    config = default_config(dataset=",".join(DATASETS), **(small | chosen))
    run_federation(config, clients=3)
    shards = json.loads((run_folder(config) / "shards.json").read_text())
    held = [{name.split("/")[0] for name in shard["classes"]} for shard in shards]
    assert held == [{DATASETS[0]}, {DATASETS[1]}, {DATASETS[1]}]

    found = {split: v for n, split, m, v in metric_rows(config) if (n, m) == (1, "accuracy")}
    clients = [found[f"client-00{i}"] for i in range(3)]
    assert found[f"local-{DATASETS[0]}"] == pytest.approx(clients[0])
    assert found[f"local-{DATASETS[1]}"] == pytest.approx(fmean(clients[1:]))
    for split in ("local", "base", "new"):
        each = [found[f"{split}-{name}"] for name in DATASETS]
        assert found[split] == pytest.approx(fmean(each))
    three = [found[split] for split in ("local", "base", "new")]
    assert found["harmonic-mean"] == pytest.approx(harmonic_mean(three))

    # What was measured of a data set is what it would be found to be by itself.
    backbone = load_backbone("tiny")
    setting = load_setting(config, backbone.image_size)
    names = setting.train.class_names
    prompting = find_method(config).build_prompting(backbone, names)
    prompting.load_prompt_tensors(final_tensors(config))
    split = setting.evaluations[1]
    task = encode_task(backbone, split.task, FeatureCache(None))
    with torch.no_grad():
        guessed = predict_probabilities(backbone, prompting, task, split.images.images).argmax(-1)
    assert split.name == f"base-{DATASETS[1]}"
    right = (guessed == split.images.labels).double().mean().item()
    assert found[split.name] == pytest.approx(right)
