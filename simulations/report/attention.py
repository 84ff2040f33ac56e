"""PromptFormer's attention: which attribute each patch of a picture looks at."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulations.report.examples import Example, Examples
from simulations.report.pictures import cells_uri, rgb, tinted

if TYPE_CHECKING:
    from simulations.runner.saved_run import SavedRun

SHOWN = 6
HEAT_MAPS = 3
# Okabe and Ito's palette; what wins fewer patches than the first seven is grey.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800")
GREY = "#9aa3ad"
HEAT = "#d55e00"


@dataclass(frozen=True)
class LegendEntry:
    colour: str
    name: str
    patches: int


@dataclass(frozen=True)
class HeatMap:
    """One attribute's attention over the patches; shares are fractions of a patch's attention."""

    overlay: str
    name: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class AttentionMap:
    """A picture, its patches coloured by strongest attribute, and its heaviest attributes."""

    example: Example
    evaluation: str
    overlay: str
    legend: tuple[LegendEntry, ...]
    heat_maps: tuple[HeatMap, ...]
    attributes: int


def attention_maps(saved: "SavedRun", examples: list[Examples]) -> list[AttentionMap]:
    """Maps of a few of the example pictures; none where the prompting has no attention."""
    if not hasattr(saved.prompting, "attention"):
        return []
    from fedmvp_core.tasks import encode_task

    maps = []
    for group, chosen in zip(examples, _spread_over_domains(examples), strict=True):
        evaluation = next(e for e in saved.setting.evaluations if e.name == group.evaluation)
        encoded = encode_task(saved.backbone, evaluation.task, saved.cache)
        images = evaluation.images.images[[example.index for example in chosen]]
        weights = _weights(saved, images, encoded)
        for example, one in zip(chosen, weights, strict=True):
            maps.append(attention_map(example, group.evaluation, one, encoded.attribute_names))
    return maps


def _weights(saved: "SavedRun", images: Any, encoded: Any) -> np.ndarray:
    """(images, patches, attributes) of the prompting's attention."""
    import torch

    with torch.no_grad():
        attend: Any = saved.prompting.attention
        weights = attend(saved.backbone, images.to(saved.backbone.device), encoded)
    return np.asarray(weights.float().cpu().numpy())


def _spread_over_domains(examples: list[Examples]) -> list[list[Example]]:
    """Six pictures shared out among the evaluations, of as many domains as there are."""
    share = max(SHOWN // max(len(examples), 1), 1)
    seen: Counter[str] = Counter()
    groups = []
    for group in examples:
        left = list(group.shown)
        chosen: list[Example] = []
        while left and len(chosen) < share:
            best = min(left, key=lambda example: (seen[example.domain], left.index(example)))
            left.remove(best)
            chosen.append(best)
            seen[best.domain] += 1
        groups.append(chosen)
    return groups


def attention_map(
    example: Example, evaluation: str, weights: np.ndarray, names: tuple[str, ...]
) -> AttentionMap:
    """weights (patches, attributes), rows that sum to 1, patches row by row of a square grid."""
    side = round(len(weights) ** 0.5)
    strongest = weights.argmax(axis=1)
    winners = Counter(strongest.tolist()).most_common()
    colours = dict(zip([attribute for attribute, _ in winners], PALETTE, strict=False))
    legend = [LegendEntry(colours[a], names[a], n) for a, n in winners if a in colours]
    others = [n for a, n in winners if a not in colours]
    if others:
        legend.append(LegendEntry(GREY, f"{len(others)} other attributes", sum(others)))
    pixels = np.array([(*rgb(colours.get(a, GREY)), 185) for a in strongest.tolist()], np.uint8)
    heaviest = np.argsort(-weights.mean(axis=0), kind="stable")[:HEAT_MAPS]
    return AttentionMap(
        example=example,
        evaluation=evaluation,
        overlay=cells_uri(pixels.reshape(side, side, 4)),
        legend=tuple(legend),
        heat_maps=tuple(_heat_map(weights[:, a].reshape(side, side), names[a]) for a in heaviest),
        attributes=weights.shape[1],
    )


def _heat_map(share: np.ndarray, name: str) -> HeatMap:
    low, high = float(share.min()), float(share.max())
    # A map without contrast stays pale instead of turning rounding errors into a pattern.
    contrast = (share - low) / max(high - low, 0.02 * high, 1e-9)
    return HeatMap(tinted(0.8 * contrast, HEAT), name, float(share.mean()), low, high)
