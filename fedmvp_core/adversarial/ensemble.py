"""Several attacks in a row, each on the images that those before left standing."""

import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.perturbation import own_generator
from fedmvp_core.adversarial.square import square
from fedmvp_core.adversarial.worst_case import clean_start, see_last

logger = logging.getLogger(__name__)

# (logits_fn, images, labels, epsilon, steps, generator) -> adversarial images
Attack = Callable[[LogitsFunction, Tensor, Tensor, float, int, torch.Generator], Tensor]

# Square's queries for each gradient step of the others: a query is a third of such a step's cost,
# and random search needs many. AutoAttack's standard version takes 5,000 beside 100 steps.
QUERIES_PER_STEP = 10


def worst_of(
    attacks: Mapping[str, Attack],
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """The worst version of each image over all attacks, in their order.

    An image that one has finished is spared by the next: single-label, once it is wrong;
    multi-label, once every label is wrong. Costs a clean forward pass and one after each attack
    beside the attacks themselves.

    Raises:
        AttackError: arguments out of range (see `check_inputs`), or NaN inside an attack.
    """
    check_inputs(images, labels, epsilon, steps)
    logits_of = checked_logits(logits_fn, labels)
    worst, _ = clean_start(logits_of, images, labels, "ensemble")
    for name, attack in attacks.items():
        rows = worst.unfinished()
        if not len(rows):
            break
        found = attack(logits_fn, images[rows], labels[rows], epsilon, steps, generator)
        see_last(logits_of, worst, rows, found, name)
        left = len(worst.unfinished())
        logger.info("%s: %d of %d images left of %d", name, left, len(rows), len(images))
    return worst.images


def ensemble(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator | None = None,
    queries: int | None = None,
) -> Tensor:
    """APGD on cross-entropy, APGD-T, then Square: AutoAttack's standard ensemble without FAB-T.

    Unlike that, it works for few classes and for multi-label problems.

    Args:
        logits_fn, images, labels, epsilon, generator: as for `pgd`.
        steps: of each APGD run. queries: of Square; None: 10 for each step.

    Raises:
        AttackError: as `worst_of`.
    """
    budget = QUERIES_PER_STEP * steps if queries is None else queries
    attacks: dict[str, Attack] = {
        "apgd-ce": lambda f, x, y, e, n, g: apgd(f, x, y, e, n, "ce", generator=g),
        "apgd-t": lambda f, x, y, e, n, g: apgd(f, x, y, e, n, "dlr-targeted", generator=g),
        "square": lambda f, x, y, e, _, g: square(f, x, y, e, budget, g),
    }
    draws = own_generator(generator)
    return worst_of(attacks, logits_fn, images, labels, epsilon, steps, draws)
