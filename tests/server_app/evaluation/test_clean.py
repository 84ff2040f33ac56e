"""Central evaluation against predictions made one split at a time."""

from collections.abc import Callable
from statistics import mean

import pytest
import torch

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import Evaluation, Setting, load_setting
from fedmvp_core.data.shards import Shard, local_evaluations, make_shards
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.names import of_metric
from fedmvp_core.prompting import Prompting
from fedmvp_core.tasks import encode_task
from server_app.evaluation.clean import CentralEvaluation

CLIENTS = 2


@pytest.fixture
def config(small_run: Callable[..., RunConfig]) -> RunConfig:
    return small_run()


@pytest.fixture
def setting(config: RunConfig) -> Setting:
    return load_setting(config, 64)


@pytest.fixture
def shards(setting: Setting, config: RunConfig) -> list[Shard]:
    return make_shards(setting, CLIENTS, config)


@pytest.fixture
def prompting(tiny_backbone: Backbone, config: RunConfig) -> Prompting:
    return find_method(config).build_prompting(tiny_backbone, ())


def accuracy(backbone: Backbone, prompting: Prompting | None, split: Evaluation) -> float:
    task = encode_task(backbone, split.task, FeatureCache(None))
    found = predict_probabilities(backbone, prompting, task, split.images.images).argmax(-1)
    return (found == split.images.labels).double().mean().item()


@pytest.mark.parametrize("zero_shot", [True, False])
def test_accuracies_of_every_split(
    tiny_backbone: Backbone,
    setting: Setting,
    shards: list[Shard],
    prompting: Prompting,
    zero_shot: bool,
) -> None:
    evaluation = CentralEvaluation(tiny_backbone, setting, shards, FeatureCache(None))
    found = of_metric(evaluation.zero_shot() if zero_shot else evaluation(prompting), "accuracy")
    splits = [*setting.evaluations, *local_evaluations(setting, shards)]
    used = None if zero_shot else prompting
    expected = {split.name: accuracy(tiny_backbone, used, split) for split in splits}
    expected["local"] = mean((expected["client-000"], expected["client-001"]))
    parts = [expected[name] for name in ("local", "base", "new")]
    expected["harmonic-mean"] = 3 / sum(1 / part for part in parts) if all(parts) else 0.0
    assert found == pytest.approx(expected)


def test_accuracies_by_class(
    tiny_backbone: Backbone, setting: Setting, shards: list[Shard], prompting: Prompting
) -> None:
    evaluation = CentralEvaluation(tiny_backbone, setting, shards, FeatureCache(None))
    rows = evaluation.by_class(prompting)
    assert [(split, name) for split, name, *_ in rows] == [
        *(("base", name) for name in ("ant", "bee", "cow")),
        *(("new", name) for name in ("dog", "eel", "fox")),
    ]
    assert {row[2] for row in rows} == {2}
    totals = [of_metric(m, "accuracy") for m in (evaluation(prompting), evaluation.zero_shot())]
    for split in ("base", "new"):
        assert mean(row[4] for row in rows if row[0] == split) == pytest.approx(totals[0][split])
        assert mean(row[3] for row in rows if row[0] == split) == pytest.approx(totals[1][split])


def test_local_counts_every_client_the_same(
    tiny_backbone: Backbone, setting: Setting, shards: list[Shard], prompting: Prompting
) -> None:
    measured = CentralEvaluation(tiny_backbone, setting, shards, FeatureCache(None))(prompting)
    found = of_metric(measured, "accuracy")
    assert found["local"] == pytest.approx((found["client-000"] + found["client-001"]) / 2)


def test_a_client_without_test_images_is_left_out(
    tiny_backbone: Backbone, setting: Setting, shards: list[Shard], prompting: Prompting
) -> None:
    (own,) = setting.local.values()
    kept = torch.nonzero(own.labels != 2).flatten()
    fewer = Setting(
        setting.train,
        setting.validation,
        setting.evaluations,
        {"": own.select(kept)},
        setting.summary,
        setting.make_task,
    )
    measured = CentralEvaluation(tiny_backbone, fewer, shards, FeatureCache(None))(prompting)
    found = of_metric(measured, "accuracy")
    assert "client-001" not in found
    assert found["local"] == found["client-000"]
