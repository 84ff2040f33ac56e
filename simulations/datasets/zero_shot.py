"""Zero-shot accuracy of a frozen backbone on a copy of a data set, beside the published one.

If the two are far apart, then the copy, the weights or the sentences are not the published ones.
It is better to know this before training results are compared with a table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.backbone import FeatureCache
from fedmvp_core.config import parse_config
from fedmvp_core.data.readers.table import READERS
from fedmvp_core.data.settings import load_setting
from fedmvp_core.metrics.names import of_metric
from fedmvp_core.workspace import open_backbone
from server_app.evaluation.clean import CentralEvaluation
from simulations.runner.project import default_config

# CLIP ViT-B/16 of OpenAI with CoOp's sentences: accuracy in percent on base and new classes, each
# half among its own classes (Zhou et al., CVPR 2022, table 1; their means are 69.34 and 74.22).
VIT_B_16: Mapping[str, tuple[float, float]] = {
    "imagenet": (72.43, 68.14),
    "caltech101": (96.84, 94.00),
    "oxford_pets": (91.17, 97.26),
    "stanford_cars": (63.37, 74.89),
    "oxford_flowers": (72.08, 77.80),
    "food101": (90.10, 91.22),
    "fgvc_aircraft": (27.19, 36.29),
    "sun397": (69.36, 75.35),
    "dtd": (53.24, 59.90),
    "eurosat": (56.48, 64.05),
    "ucf101": (70.53, 77.50),
}
_OPENAI = ("ViT-B-16", "ViT-B-16-quickgelu")  # open_clip's names of the same weights


@dataclass(frozen=True)
class ZeroShot:
    """One split. measured, published: accuracy or mAP in percent; None: nothing is published."""

    split: str
    images: int
    measured: float
    published: float | None


def measure_zero_shot(
    name: str, root: Path, backbone: str, pretrained: str, merge_spellings: bool = False
) -> list[ZeroShot]:
    """Base and new classes of a copy in `root`; all labels where an image has several.

    Raises:
        FedMVPError: the backbone or the data set cannot be loaded.
    """
    several = name in READERS and READERS[name].multi_label
    keys = {
        "dataset": name,
        "data-dir": str(root),
        "merge-spellings": merge_spellings,
        "setting": "multi-label" if several else "base-to-new",
        "backbone": backbone,
        "pretrained": pretrained,
    }
    config = parse_config({**default_config(), **keys})
    model = open_backbone(config.model, "cpu", "fp32")
    setting = load_setting(config, model.image_size)
    evaluation = CentralEvaluation(model, setting, [], FeatureCache(None))
    found = of_metric(evaluation.zero_shot(), evaluation.headline)
    published = published_zero_shot(name, backbone, pretrained)
    return [
        ZeroShot(s.name, len(s.images), 100 * found[s.name], published.get(s.name))
        for s in evaluation.splits
    ]


def published_zero_shot(name: str, backbone: str, pretrained: str) -> Mapping[str, float]:
    """Split -> percent, as far as it is known for these weights."""
    if backbone not in _OPENAI or pretrained != "openai" or name not in VIT_B_16:
        return {}
    base, new = VIT_B_16[name]
    return {"base": base, "new": new}
