"""What the frozen backbone reaches on each split, beside what is published for it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, dataset_names
from fedmvp_core.data.catalogue import class_templates
from fedmvp_core.data.settings import Setting
from fedmvp_core.data.settings.summaries import LOCAL, of_dataset
from fedmvp_core.data.shards import Shard, client_name
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.metrics.names import of_metric
from fedmvp_core.prompting.none import NoPrompts
from fedmvp_core.workspace import feature_cache
from server_app.evaluation.clean import CentralEvaluation
from simulations.datasets.zero_shot import published_zero_shot
from simulations.suite.files import CLEAN, Suite

TOLERANCE = 1.0  # points; about what another resampling of the pictures makes
ROW = "zs-clip"  # what suites call the published zero-shot row
COOP = "CoOp's table"
_TIMED = {"cpu": 32, "cuda": 512}  # images


@dataclass(frozen=True)
class ZeroShotRow:
    """One split of one data set or federation.

    measured, published: fractions. source: of the published one, "" where there is none.
    """

    place: str
    split: str
    measured: float
    published: float | None
    source: str

    @property
    def points(self) -> float | None:
        """How far ours is from the published one."""
        return None if self.published is None else 100 * (self.measured - self.published)

    @property
    def is_far(self) -> bool:
        return self.points is not None and abs(self.points) > TOLERANCE


@dataclass(frozen=True)
class MeasuredZeroShot:
    """rows: by split. seconds_per_image: of an evaluation with everything decoded and encoded."""

    rows: tuple[ZeroShotRow, ...]
    seconds_per_image: float


def measure(
    backbone: Backbone,
    config: RunConfig,
    setting: Setting,
    shards: list[Shard],
    published: Mapping[str, tuple[float, str]],
    place: str,
) -> MeasuredZeroShot:
    """Encode every tested image once, or take its features from the run's cache.

    published: split -> (fraction, source), see `published_rows`. place: what to call the data.
    """
    evaluation = CentralEvaluation(backbone, setting, shards, feature_cache(config.run))
    found = of_metric(evaluation.zero_shot(), evaluation.headline)
    names = dataset_names(config.data)
    hidden = {of_dataset(LOCAL, name) for name in names if len(names) > 1}
    rows = tuple(
        ZeroShotRow(place, split, value, *published.get(split, (None, "")))
        for split, value in found.items()
        if split not in hidden and not split.startswith(client_name(0)[:-3])
    )
    return MeasuredZeroShot(rows, _seconds_per_image(backbone, evaluation))


def _seconds_per_image(backbone: Backbone, evaluation: CentralEvaluation) -> float:
    """Of an evaluation like those of a run, on some images of its first split."""
    split = evaluation.splits[0]
    count = min(_TIMED[backbone.device.type], len(split.images))
    images = split.images.select(torch.arange(count)).images
    task, module = evaluation.tasks[split.name], NoPrompts()
    predict_probabilities(backbone, module, task, images[:8])  # warm-up
    begun = time.perf_counter()
    predict_probabilities(backbone, module, task, images)  # ends on the CPU
    return (time.perf_counter() - begun) / len(images)


def published_rows(
    suite: Suite, place: str, config: RunConfig, named: tuple[str, str]
) -> dict[str, tuple[float, str]]:
    """Split -> the published zero-shot fraction and whose it is.

    The suite's own row; and, of OpenAI's ViT-B/16 on base and new classes, CoOp's of each data set.
    place: of the run on the axes of the suite. named: backbone and weights as the suite has them.
    """
    rows = {}
    names = dataset_names(config.data) if config.data.setting == "base-to-new" else ()
    for name in names:
        for split, percent in published_zero_shot(name, *named).items():
            rows[of_dataset(split, name if len(names) > 1 else "")] = (percent / 100, COOP)
    row = f"{ROW}-{place}" if place else ROW
    of_suite = suite.published.get((row, CLEAN), {})
    return rows | {split: (value, f"[published.{row}]") for split, value in of_suite.items()}


def reasons(backbone: Backbone, config: RunConfig, named: tuple[str, str]) -> list[str]:
    """What usually makes zero-shot another than published, with what this run has of each.

    named: backbone and weights as the suite has them.
    """
    model = config.model
    likely = []
    if (model.backbone, model.pretrained) != named:
        likely.append(
            f"weights: the suite is about {' '.join(named)}, these are {model.backbone} "
            f"{model.pretrained}"
        )
    templates = dict.fromkeys(class_templates(config.data))
    return [
        *likely,
        f"activation: {backbone.activation}",
        f"template: {'; '.join(repr(t) for t in templates)}",
        f"resolution: pictures are resized to {backbone.image_size} pixels and cropped in the "
        "middle, bicubic; another size or filter gives other features",
        "split: another list of test pictures or another order of classes; compare the class "
        "order and the hashes of the splits",
    ]
