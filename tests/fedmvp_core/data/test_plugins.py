"""Data sets, partitions and settings get the options that they declare, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import torch
from run_configs import run_config
from torch import Tensor

from fedmvp_core.config import DataSection, RunSection
from fedmvp_core.config.options import Between, option
from fedmvp_core.data import plugins
from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.data.partitions import partition
from fedmvp_core.data.plugins import load_dataset, with_options
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import PARTITIONS, SETTINGS


def images(n: int = 4) -> ImageSet:
    return ImageSet(
        images=torch.zeros(n, 3, 1, 1, dtype=torch.uint8),
        labels=torch.zeros(n, dtype=torch.int64),
        domains=("",) * n,
        names=tuple(map(str, range(n))),
        class_names=("a",),
    )


@dataclass(frozen=True)
class Mine:
    first: Annotated[int, Between(0)] = option(1, "images of the first client")


def mine(images: ImageSet, clients: int, seed: int, options: Mine) -> list[Tensor]:
    rows = torch.arange(len(images))
    return [rows[: options.first], rows[options.first :]]


def install(monkeypatch: pytest.MonkeyPatch, plugin: Callable[..., Any]) -> None:
    monkeypatch.setattr(plugins, "find", lambda group, name: plugin)


def test_a_partition_of_ones_own_has_options(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, mine)
    data = run_config(partition="iid").data
    assert [len(piece) for piece in partition(images(), 2, data, 1)] == [1, 3]
    assert with_options(PARTITIONS, "mine", "first=3")(images(), 2, 1)[0].tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="partition 'mine': option first is -1; allowed: 0 or"):
        with_options(PARTITIONS, "mine", "first=-1")


def test_a_data_set_of_ones_own_has_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(data: DataSection, run: RunSection, image_size: int, options: Mine) -> Dataset:
        return Dataset("mine", images(options.first), images(image_size), images(run.seed))

    install(monkeypatch, load)
    data = run_config().with_values(dataset_options="first=3").data
    dataset = load_dataset(data, run_config(seed=2).run, 5)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [3, 5, 2]


@pytest.mark.parametrize(
    ("group", "name", "text", "message"),
    [
        (PARTITIONS, "iid", "x=1", "partition 'iid' has no option 'x'; it has none"),
        (PARTITIONS, "own", "x=1", "partition 'own' has no option 'x'; it has none"),
        (PARTITIONS, "dirichlet", "alpha=1", "has no option 'alpha'; .*dirichlet-alpha"),
        (PARTITIONS, "dirichlet", "dirichlet-alpha=0", "dirichlet-alpha is 0; allowed: 0.001 or"),
        (PARTITIONS, "pathological", "classes-per-client=0", "per-client is 0; allowed: 1 or more"),
        (SETTINGS, "msst", "source-domain=a", "setting 'msst' has no option 'source-domain'"),
        (SETTINGS, "few-shot", "x=1", "setting 'few-shot' has no option 'x'; it has none"),
    ],
)
def test_options_that_cannot_be(group: str, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_options(group, name, text)


@pytest.mark.parametrize(
    ("group", "name", "defaults"),
    [
        (PARTITIONS, "pathological", {"classes_per_client": 2}),
        (PARTITIONS, "dirichlet", {"dirichlet_alpha": 0.5}),
        (PARTITIONS, "dirichlet-labels", {"dirichlet_alpha": 0.5}),
        (SETTINGS, "msst", {"target_domain": "sketch"}),
        (SETTINGS, "ssmt", {"source_domain": "noto"}),
        (SETTINGS, "cross-dataset", {"target_datasets": ""}),
        (SETTINGS, "zsl", {"label_split": ""}),
        (SETTINGS, "gzsl", {"label_split": ""}),
    ],
)
def test_defaults(group: str, name: str, defaults: dict[str, Any]) -> None:
    bound = with_options(group, name, "")
    assert vars(bound.keywords["options"]) == defaults  # type: ignore[attr-defined]
