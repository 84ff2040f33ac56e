"""Square Attack (Andriushchenko et al., ECCV 2020), L-infinity: random search, no gradient.

It breaks models that hide their gradients instead of being robust.
"""

import bisect

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.perturbation import (
    all_finite,
    ball,
    own_generator,
    refuse_non_finite,
)
from fedmvp_core.adversarial.worst_case import WorstCase, clean_start

FIRST_SHARE = 0.8  # of the image that the first square covers: p, as in AutoAttack
# After so many of 10,000 queries (scaled to the budget) the share is halved.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
QUERIES_BETWEEN_LOOKS = 10  # at which images are broken: asking waits for a GPU


def square_side(query: int, queries: int, height: int, width: int) -> int:
    """Side of the square, in pixels, that query number `query` of `queries` repaints."""
    scaled = int(query / queries * 10_000)
    share = FIRST_SHARE / 2 ** bisect.bisect_left(HALVINGS, scaled)
    return min(max(round((share * height * width) ** 0.5), 1), height, width)


@torch.no_grad()
def square(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    queries: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Vertical stripes, then squares at random places, each kept where it does more harm.

    Harm is the margin (multi-label: how many labels are wrong, then their summed hinge). Costs a
    clean forward pass and `queries` forward passes over the images still right.

    Raises:
        AttackError: arguments out of range (see `check_inputs`), or NaN inside the attack.
    """
    check_inputs(images, labels, epsilon, queries)
    logits_of = checked_logits(logits_fn, labels)
    clean, _ = clean_start(logits_of, images, labels, "square")
    rows = clean.unfinished()
    if not len(rows):
        return clean.images
    draws = own_generator(generator)
    lower, upper = ball(images, epsilon)
    stripes = epsilon * _signs((len(images), 3, 1, images.shape[3]), draws).to(images)
    start = torch.clamp(images + stripes, lower, upper)[rows]
    search = WorstCase.at(start, labels[rows], logits_of(start))
    finite = all_finite(search.margin)
    lower, upper = lower[rows], upper[rows]
    active = search.unfinished()
    for query in range(1, queries):
        if query % QUERIES_BETWEEN_LOOKS == 0:
            active = search.unfinished()
        if not len(active):
            break
        side = square_side(query, queries, *images.shape[2:])
        repaint = 2 * epsilon * _squares(images, side, draws, rows[active])
        tried = torch.clamp(search.images[active] + repaint, lower[active], upper[active])
        logits = logits_of(tried)
        finite &= all_finite(logits)
        search.see(active, tried, logits)
    refuse_non_finite(finite, "square")
    clean.take(rows, search.images, search.wrong, search.margin)
    return clean.images


def _signs(shape: tuple[int, ...], draws: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=draws) * 2 - 1


def _squares(images: Tensor, side: int, draws: torch.Generator, rows: Tensor) -> Tensor:
    """(k, 3, h, w) for k rows: +1 or -1 a channel inside a random square of each image, 0 outside.

    Twice epsilon of it, clamped to the ball, puts the square's pixels on the ball's faces. Drawn
    for every image, so that one's squares do not depend on the fate of the others.
    """
    batch, _, height, width = images.shape
    top = torch.randint(0, height - side + 1, (batch, 1), generator=draws).to(rows.device)[rows]
    left = torch.randint(0, width - side + 1, (batch, 1), generator=draws).to(rows.device)[rows]
    signs = _signs((batch, 3, 1, 1), draws).to(images)[rows]
    row = torch.arange(height, device=rows.device)
    column = torch.arange(width, device=rows.device)
    inside_rows = (row >= top) & (row < top + side)
    inside_columns = (column >= left) & (column < left + side)
    inside = inside_rows.unsqueeze(2) & inside_columns.unsqueeze(1)  # (k, h, w)
    return signs * inside.unsqueeze(1)
