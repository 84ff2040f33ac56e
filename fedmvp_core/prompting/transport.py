"""Entropic optimal transport between a few texts and the regions of an image.

Sinkhorn (Cuturi, NeurIPS 2013), and the partial form in which rows give up at most their mass
(Benamou et al., SIAM J. Sci. Comput. 2015). Written with logarithms, since exp(-cost / epsilon) is
out of float32's reach at small epsilons.
"""

import torch
from torch import Tensor

from fedmvp_core.tasks import EncodedTask

ITERATIONS = 100
THRESHOLD = 1e-3  # of the largest relative change of a column's scaling


def transport(
    cost: Tensor, rows: Tensor, columns: Tensor, epsilon: float, partial: bool = False
) -> Tensor:
    """How much of each row goes to each column: shaped as cost.

    Every problem stops on its own, so what comes out does not depend on what else is in a batch.

    Args:
        cost: (..., rows, columns).
        rows: (..., rows) above 0; with `partial` the most that a row may give, else what it gives.
        columns: (columns,) above 0, what each column gets; no more in sum than the rows have.
        epsilon: weight of the entropy, above 0.
        partial: whether rows may keep some of their mass.
    """
    kernel, log_rows, log_columns = -cost / epsilon, rows.log(), columns.log()
    left, right = torch.zeros_like(kernel[..., 0]), torch.zeros_like(kernel[..., 0, :])
    moving = torch.ones_like(kernel[..., 0, :1], dtype=torch.bool)
    for _ in range(ITERATIONS):
        new_left = log_rows - (kernel + right[..., None, :]).logsumexp(dim=-1)
        if partial:
            new_left = new_left.clamp(max=0)
        new_right = log_columns - (kernel + new_left[..., None]).logsumexp(dim=-2)
        still = (new_right - right).abs().amax(dim=-1, keepdim=True) >= THRESHOLD
        left, right = new_left.where(moving, left), new_right.where(moving, right)
        moving = moving & still
        if not bool(moving.any()):
            break
    return (left[..., None] + kernel + right[..., None, :]).exp()


def constant_in_training(images: Tensor) -> torch.set_grad_enabled:
    """A block in which a plan has no gradient, unless the images ask for one.

    FedOTP trains with the plan held constant. An attack differentiates through it: a plan that an
    attacker cannot see would make robustness seem to be there.
    """
    return torch.set_grad_enabled(images.requires_grad and torch.is_grad_enabled())


def with_shared(texts: Tensor, asked: EncodedTask) -> Tensor:
    """(classes, ..., d), with several labels an image one row more: what all classes share."""
    if not asked.task.multi_label:
        return texts
    shared = texts.mean(dim=0, keepdim=True)
    return torch.cat([texts, shared / shared.norm(dim=-1, keepdim=True)])


def less_shared(scores: Tensor, asked: EncodedTask) -> Tensor:
    """(batch, classes), of the rows of `with_shared`: less the score of what classes share."""
    return scores[:, :-1] - scores[:, -1:] if asked.task.multi_label else scores
