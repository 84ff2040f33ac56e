"""What an attack climbs: losses of each image, higher is worse for the model.

logits: (batch, classes) float. labels: (batch,) int64, or (batch, classes) of 1, 0 and -1 for a
multi-label problem, in which a label is predicted when its logit is above 0; a label of -1 is
unknown, and no loss but KL(p_clean || p) looks at it.
Every function returns (batch,).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fedmvp_core.errors import AttackError
from fedmvp_core.losses.classification import cross_entropy, divergence

_NO_DIVISION_BY_ZERO = 1e-12


def is_multi_label(labels: Tensor) -> bool:
    """Whether labels are multi-hot (batch, classes) instead of (batch,)."""
    return labels.ndim == 2


def label_margins(logits: Tensor, labels: Tensor) -> Tensor:
    """Multi-label only: (batch, classes), above 0 where a label is wrong at logit 0.

    An unknown label's is 1, as if it was wrong already, so that no effort goes to it.
    """
    return torch.where(labels == 1, -logits, logits).masked_fill(labels < 0, 1.0)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """max_{j != y} z_j - z_y (Carlini & Wagner, 2017): above 0 when the class is wrong.

    Multi-label: the hinge sum_c min(m_c, 0) over `label_margins` m: 0 once every label is wrong. A
    label that is wrong already adds nothing, so that the effort goes to those still right.
    """
    if is_multi_label(labels):
        return label_margins(logits, labels).clamp(max=0).sum(dim=1)
    column = labels.unsqueeze(1)
    others = logits.scatter(1, column, float("-inf")).amax(dim=1)
    return others - logits.gather(1, column).squeeze(1)


def targeted_margin(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """z_t - z_y; multi-label: how far label t is on its wrong side. targets: (batch,) int64."""
    column = targets.unsqueeze(1)
    if is_multi_label(labels):
        return label_margins(logits, labels).gather(1, column).squeeze(1)
    return (logits.gather(1, column) - logits.gather(1, labels.unsqueeze(1))).squeeze(1)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio (Croce & Hein, ICML 2020, equation 6), single-label.

    The margin over z_(1) - z_(3): blind to the logits' scale, so a model cannot hide by large ones.

    Raises:
        AttackError: fewer than 3 classes, or multi-label: there is no third largest logit.
    """
    _refuse_undefined("dlr", logits, labels, 3)
    highest = logits.topk(3, dim=1).values
    spread = highest[:, 0] - highest[:, 2]
    return margin(logits, labels) / (spread + _NO_DIVISION_BY_ZERO)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio (Croce & Hein, equation 7), single-label.

    Raises:
        AttackError: fewer than 4 classes, or multi-label.
    """
    _refuse_undefined("targeted dlr", logits, labels, 4)
    highest = logits.topk(4, dim=1).values
    spread = highest[:, 0] - (highest[:, 2] + highest[:, 3]) / 2
    return targeted_margin(logits, labels, targets) / (spread + _NO_DIVISION_BY_ZERO)


def dlr_or_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """`dlr`, or `margin` where it is undefined: fewer than 3 classes, or multi-label."""
    defined = logits.shape[1] >= 3 and not is_multi_label(labels)
    return dlr(logits, labels) if defined else margin(logits, labels)


def targeted_dlr_or_margin(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """`targeted_dlr`, or `targeted_margin` where it is undefined: under 4 classes, multi-label."""
    defined = logits.shape[1] >= 4 and not is_multi_label(labels)
    return (targeted_dlr if defined else targeted_margin)(logits, labels, targets)


# (logits, labels, reference) -> (batch,). The reference of "kl" are clean logits (batch, classes),
# of "dlr-targeted" target classes (batch,); the others do not look at theirs.
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "ce": lambda logits, labels, _: cross_entropy(logits, labels),
    "margin": lambda logits, labels, _: margin(logits, labels),
    "dlr": lambda logits, labels, _: dlr_or_margin(logits, labels),
    "kl": lambda logits, labels, clean: divergence(clean, logits, is_multi_label(labels)),
    "dlr-targeted": targeted_dlr_or_margin,
}


def loss_named(name: str, allowed: tuple[str, ...]) -> Loss:
    """The loss of that name.

    Raises:
        AttackError: not one of `allowed`.
    """
    if name not in allowed:
        raise AttackError(f"loss is '{name}'; allowed: {', '.join(allowed)}")
    return LOSSES[name]


def _refuse_undefined(name: str, logits: Tensor, labels: Tensor, needed: int) -> None:
    if is_multi_label(labels):
        raise AttackError(f"loss '{name}' is defined for single-label problems only")
    if logits.shape[1] < needed:
        raise AttackError(
            f"loss '{name}' needs {needed} classes or more, these logits have {logits.shape[1]}"
        )
