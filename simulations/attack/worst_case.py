"""What several attacks of one radius leave together: the worst of them for each image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fedmvp_core.adversarial.losses import is_multi_label, margin
from fedmvp_core.adversarial.worst_case import wrong_labels
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import headline
from simulations.attack.names import WORST_CASE, AttackName
from simulations.attack.run import AttackRow, Target

_TINY = 1e-30  # of a probability, so that its logarithm is a number


def worst_probabilities(found: Sequence[Tensor], labels: Tensor) -> Tensor:
    """(n, classes): for each image the answer with most labels wrong, then the largest margin.

    found: of each attack (n, classes). labels: (n,) or (n, classes) of 1, 0 and -1.
    """
    answers = torch.stack(list(found))
    wrong, margins = (torch.stack(column) for column in zip(*_harm(found, labels), strict=True))
    margins = margins.masked_fill(wrong < wrong.amax(dim=0), float("-inf"))
    return answers[margins.argmax(dim=0), torch.arange(len(labels))]


def _harm(found: Sequence[Tensor], labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each attack, wrong labels and margin of every image: (n,) both."""
    harm = []
    for probabilities in found:
        logits = probabilities.double().clamp(_TINY).log()
        if is_multi_label(labels):
            logits = logits - (1 - probabilities.double()).clamp(_TINY).log()
        harm.append((wrong_labels(logits, labels), margin(logits, labels)))
    return harm


def worst_row(
    target: Target, epsilon: str, defence: str, found: dict[str, list[Tensor]]
) -> AttackRow:
    """One row for all attacks of one radius on one split; found: by model, of each attack."""
    labels, metric = target.images.labels, headline(target.images.multi_label)
    return AttackRow(
        split=target.split,
        attack=AttackName(WORST_CASE, 0, epsilon, defence),
        images=len(target.images),
        clean={m: measure(target.probabilities[m], labels)[metric] for m in found},
        robust={
            m: measure(worst_probabilities(every, labels), labels)[metric]
            for m, every in found.items()
        },
    )
