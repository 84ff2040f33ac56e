"""The worst that attacks have done to each image so far.

What one step, restart or attack has broken stays broken: evaluation attacks return these images,
not their last iterates.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction
from fedmvp_core.adversarial.losses import is_multi_label, label_margins, margin
from fedmvp_core.adversarial.perturbation import all_finite, refuse_non_finite


def wrong_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of an image's labels are wrong: (batch,) int64.

    Single-label: 0 or 1, by the largest logit. Multi-label: how many of its labels are on the wrong
    side of logit 0, so the logits must be those of a classifier with its threshold there; unknown
    labels, -1, never count.
    """
    if is_multi_label(labels):
        return (((logits > 0) != (labels == 1)) & (labels >= 0)).sum(dim=1)
    return (logits.argmax(dim=1) != labels).long()


def broken(logits: Tensor, labels: Tensor) -> Tensor:
    """(batch,) bool: any label is wrong."""
    return wrong_labels(logits, labels) > 0


@dataclass
class WorstCase:
    """The most harmful version of each image: most labels wrong, then the largest margin.

    images: (batch, 3, h, w). labels: (batch,) or (batch, classes). wrong: (batch,) int64. margin:
    (batch,), as `losses.margin`.
    """

    images: Tensor
    labels: Tensor
    wrong: Tensor
    margin: Tensor

    @classmethod
    def at(cls, images: Tensor, labels: Tensor, logits: Tensor) -> Self:
        """Start from these images and their logits (batch, classes)."""
        wrong, margins = wrong_labels(logits, labels), margin(logits, labels)
        return cls(images.detach().clone(), labels, wrong, margins)

    def see(self, rows: Tensor, images: Tensor, logits: Tensor) -> None:
        """Keep those of `images` (k, 3, h, w) that do more harm; rows: (k,), where they belong."""
        labels = self.labels[rows]
        self.take(rows, images, wrong_labels(logits, labels), margin(logits, labels))

    def take(self, rows: Tensor, images: Tensor, wrong: Tensor, margin: Tensor) -> None:
        """As `see`, with the harm already counted: wrong and margin are (k,)."""
        held_wrong, held_margin = self.wrong[rows], self.margin[rows]
        harder = (wrong > held_wrong) | ((wrong == held_wrong) & (margin > held_margin))
        self.images[rows] = torch.where(harder.view(-1, 1, 1, 1), images, self.images[rows])
        self.wrong[rows] = torch.where(harder, wrong, held_wrong)
        self.margin[rows] = torch.where(harder, margin, held_margin)

    def unfinished(self) -> Tensor:
        """Rows (k,) of the images that still have a label to lose.

        Single-label: those still right. Multi-label: those with any known label right, since the
        harm goes on growing after the first.
        """
        known = (self.labels >= 0).sum(dim=1) if is_multi_label(self.labels) else 1
        return torch.nonzero(self.wrong < known).flatten()


@torch.no_grad()
def clean_start(
    logits_of: LogitsFunction, images: Tensor, labels: Tensor, attack: str
) -> tuple[WorstCase, Tensor]:
    """The clean images as the worst so far, and their logits (batch, classes): one forward pass.

    A single-label image that is wrong without an attack needs none, and costs nothing more.

    Raises:
        AttackError: NaN or infinite logits.
    """
    logits = logits_of(images).detach()
    refuse_non_finite(all_finite(logits), attack)
    return WorstCase.at(images.clamp(0, 1), labels, logits), logits


@torch.no_grad()
def see_last(
    logits_of: LogitsFunction, worst: WorstCase, rows: Tensor, images: Tensor, attack: str
) -> None:
    """One forward pass for images that no gradient step looked at any more."""
    logits = logits_of(images)
    refuse_non_finite(all_finite(logits), attack)
    worst.see(rows, images, logits)


def hardest_targets(logits: Tensor, labels: Tensor, count: int) -> Tensor:
    """The classes nearest to being predicted wrongly: (batch, k) int64, k <= count, nearest first.

    Single-label: the largest logits of other classes. Multi-label: the labels nearest to flipping,
    those wrong already last.
    """
    if is_multi_label(labels):
        margins = label_margins(logits, labels)
        nearness = torch.where(margins > 0, margins - 2 * margins.abs().amax() - 1, margins)
        return nearness.topk(min(count, logits.shape[1]), dim=1).indices
    others = logits.scatter(1, labels.unsqueeze(1), float("-inf"))
    return others.topk(min(count, logits.shape[1] - 1), dim=1).indices
