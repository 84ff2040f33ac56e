"""Whether a picture was trained on, from how sure a model is of its label.

Three attacks. `threshold`: who is sure is a member (Yeom et al., CSF 2018). `shadow`: a classifier
learned on federations of the attacker's own (Shokri et al., S&P 2017). `likelihood_ratio`: LiRA
(Carlini et al., S&P 2022): for each picture two Gaussians of the confidence, of federations with it
and without it. Each federation is attacked in turn, with the others as the attacker's own.
"""

import math
from dataclasses import dataclass

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

FALSE_POSITIVES = 0.01
_LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Leak:
    """How well members are told from others. tpr: the share found at 1 % false positives."""

    auc: float
    tpr: float


def confidences(logits: Tensor, labels: Tensor) -> Tensor:
    """log(p / (1 - p)) of the true class, Carlini et al.'s equation 6. logits: (n, classes)."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -math.inf)
    return (own[:, 0] - others.logsumexp(dim=1)).double()


def leak(scores: Tensor, members: Tensor) -> Leak:
    """scores: higher says member. members: bool, of the same shape."""
    truth, said = members.flatten().numpy(), scores.flatten().numpy()
    false, true, _ = roc_curve(truth, said, drop_intermediate=False)
    return Leak(float(roc_auc_score(truth, said)), float(true[false <= FALSE_POSITIVES].max()))


def threshold(sure: Tensor, members: Tensor) -> Tensor:
    """Scores (federations, pictures): the confidences themselves."""
    return sure


def shadow(sure: Tensor, members: Tensor) -> Tensor:
    """Scores of a logistic regression on the confidence, its square, and which picture it is.

    sure, members: (federations, pictures). Each federation's classifier is fitted to the others.
    """
    federations, pictures = sure.shape
    which = torch.eye(pictures, dtype=torch.float64).expand(federations, -1, -1)
    scaled = ((sure - sure.mean()) / sure.std().clamp(min=_LEAST_DEVIATION))[..., None]
    features = torch.cat([scaled, scaled**2, which, which * scaled], dim=-1)
    scores = torch.empty_like(sure)
    for target in range(federations):
        others = torch.arange(federations) != target
        fitted = LogisticRegression(max_iter=1000).fit(
            features[others].flatten(0, 1).numpy(), members[others].flatten().numpy()
        )
        scores[target] = torch.from_numpy(fitted.decision_function(features[target].numpy()))
    return scores


def likelihood_ratio(sure: Tensor, members: Tensor) -> Tensor:
    """LiRA's scores, online and with one variance for all pictures, as advised for few shadows."""
    scores = torch.empty_like(sure)
    for target in range(len(sure)):
        others = torch.arange(len(sure)) != target
        inside, outside = members[others], ~members[others]
        scores[target] = _log_density(sure[target], sure[others], inside) - _log_density(
            sure[target], sure[others], outside
        )
    return scores


def _log_density(sure: Tensor, shadows: Tensor, chosen: Tensor) -> Tensor:
    """Of each picture's confidence under the Gaussian of the chosen federations' confidences."""
    counts = chosen.sum(dim=0).clamp(min=1)
    means = (shadows * chosen).sum(dim=0) / counts
    means = torch.where(chosen.any(dim=0), means, shadows.mean(dim=0))
    freedom = max(1, int(chosen.sum() - chosen.any(dim=0).sum()))
    variance = ((shadows - means).square() * chosen).sum() / freedom
    variance = variance.clamp(min=_LEAST_DEVIATION**2)
    return -(sure - means).square() / (2 * variance) - variance.log() / 2


ATTACKS = {"threshold": threshold, "shadow": shadow, "LiRA": likelihood_ratio}
