"""What the checks for gradient masking ask of a model: accuracy under attack, loss, gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.inputs import LogitsFunction, averaged_logits
from fedmvp_core.adversarial.losses import LOSSES, is_multi_label
from fedmvp_core.adversarial.perturbation import input_gradient
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.adversarial.worst_case import wrong_labels

POINTS = 0.02  # of accuracy: less is chance
FADED = 1e-6  # gradient of the cross-entropy over that of the margin: below, it is rounding
FLAT = 1e-4  # what a first-order step of epsilon adds to the margin, over the margin

# (logits function, images, labels, generator) -> adversarial images.
_Attack: TypeAlias = Callable[[LogitsFunction, Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Budget:
    """What the checks may spend. steps, few_steps: of the white box (APGD on cross-entropy).

    queries: of Square. draws: forward passes whose logits are averaged at every point that an
    attack looks at (expectation over transformation); 1 for a model without randomness.
    """

    epsilon: float
    steps: int = 50
    few_steps: int = 10
    queries: int = 1000
    draws: int = 1
    batch_size: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Probe:
    """A model, the images that it is judged on, and the budget."""

    logits_of: LogitsFunction
    images: Tensor
    labels: Tensor
    budget: Budget

    @property
    def chance(self) -> float:
        """The largest difference of two accuracies that says nothing: of one image at least."""
        return max(POINTS, 1 / len(self.images))

    def batches(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """`images` with the labels, cut to the size that fits the memory."""
        size = self.budget.batch_size
        return list(zip(images.split(size), self.labels.split(size), strict=True))

    @torch.no_grad()
    def accuracy(self, images: Tensor) -> float:
        """The share of known labels that one pass gets right."""
        wrong = [wrong_labels(self.logits_of(x), y).sum() for x, y in self.batches(images)]
        return 1 - float(torch.stack(wrong).sum()) / max(int(known_labels(self.labels).sum()), 1)

    def attacked(self, attack: _Attack, logits_of: LogitsFunction | None = None) -> Tensor:
        """(n, 3, h, w): what an attack makes of the images, with draws of its own."""
        averaged = averaged_logits(logits_of or self.logits_of, self.budget.draws)
        draws = torch.Generator().manual_seed(self.budget.seed)
        return torch.cat([attack(averaged, x, y, draws) for x, y in self.batches(self.images)])

    def climbed(self, epsilon: float, steps: int) -> Tensor:
        """The white box: APGD on the cross-entropy, the worst image of its steps."""
        return self.attacked(lambda f, x, y, d: apgd(f, x, y, epsilon, steps, "ce", generator=d))

    def last_iterate(
        self, size: float, steps: int, logits_of: LogitsFunction | None = None
    ) -> Tensor:
        """(n, 3, h, w): PGD from the images themselves, of steps of `size`; of another model."""
        epsilon = self.budget.epsilon
        return self.attacked(
            lambda f, x, y, d: pgd(f, x, y, epsilon, size, steps, random_start=False, generator=d),
            logits_of,
        )

    @torch.no_grad()
    def loss(self, images: Tensor) -> float:
        """The mean cross-entropy of one pass."""
        pairs = self.batches(images)
        return float(torch.cat([LOSSES["ce"](self.logits_of(x), y, y) for x, y in pairs]).mean())


def known_labels(labels: Tensor) -> Tensor:
    """(n,): how many labels of each image are known."""
    return (labels >= 0).sum(dim=1) if is_multi_label(labels) else torch.ones_like(labels)


def vanished(
    logits_of: LogitsFunction, images: Tensor, labels: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Which images have something to lose, a gradient of exactly 0, one that is too small.

    Too small: the cross-entropy's is under 1e-6 of the margin's (the softmax is saturated), or a
    first-order step of epsilon changes the margin by less than 1e-4 of itself.

    Returns:
        Three of (batch,) bool.

    Raises:
        AttackError: the logits do not depend on the images by way of a gradient.
    """
    gradient, _, logits = input_gradient(logits_of, LOSSES["ce"], images, labels, labels)
    of_margin, margins, _ = input_gradient(logits_of, LOSSES["margin"], images, labels, labels)
    size, margin_size = gradient.flatten(1).abs().amax(1), of_margin.flatten(1).abs().amax(1)
    step = epsilon * of_margin.flatten(1).abs().sum(1)
    small = (size < FADED * margin_size) | (step < FLAT * margins.abs())
    return wrong_labels(logits, labels) < known_labels(labels), size == 0, small
