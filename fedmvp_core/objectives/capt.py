"""CAPT's objective: clean cross-entropy and an adaptive, adversarial consistency term.

L = CE(p(x), y) + lambda * [(1 - a) * KL(p(x) || p(x~)) + a * KL(p_frz(x) || p(x~))]

(arXiv 2405.11154.) x~ is the attacked image, p_frz the frozen model with the plain template, and a,
alpha_cons, adapts to how reliable the frozen model is against the tuned one. The paper's closed
form of a is not public; the three strategies below are this project's reading of it:

constant    a fixed number
ce-ratio    CE(p(x), y) / (CE(p(x), y) + CE(p_frz(x), y)): near 1 where the frozen model is better
confidence  p_frz(y | x): the frozen model's own belief in the right class

With several labels an image's CE(p, y) and p(y | x) in these two are means over its known labels: a
mean of log losses (never of `multi-label-loss`, which is no likelihood) and of beliefs in what each
label is, present or absent.
"""

from torch import Tensor

from fedmvp_core.config import RunConfig
from fedmvp_core.losses.classification import classification_loss, divergence, log_loss
from fedmvp_core.objectives.objective import Batch, Loss, Objective, Predict

# Both cross-entropies may be 0 to float precision; the ratio is then undefined.
TINY = 1e-12


def capt_objective(config: RunConfig) -> Objective:
    """CAPT with the configured `capt-weight` (lambda) and `alpha-cons` strategy."""

    def objective(predict: Predict, batch: Batch) -> Loss:
        _, clean = predict(batch.images)
        _, attacked = predict(batch.adversarial)
        consistency, measured = adversarial_consistency(clean, attacked, batch, config)
        loss = classification_loss(clean, batch.labels, config)
        return Loss(loss + config.training.capt_weight * consistency, measured)

    return objective


def adversarial_consistency(
    clean: Tensor, attacked: Tensor, batch: Batch, config: RunConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The bracket of the objective, averaged over the batch, and its alpha_cons for the log.

    clean, attacked: (batch, classes), the tuned model's scores of x and x~.
    """
    alpha = alpha_cons(clean.detach(), batch.frozen_logits, batch.labels, config)
    to_itself = divergence(clean, attacked, batch.multi_label)
    to_frozen = divergence(batch.frozen_logits, attacked, batch.multi_label)
    consistency = ((1 - alpha) * to_itself + alpha * to_frozen).mean()
    return consistency, {"alpha-cons": alpha.mean()}


def alpha_cons(clean: Tensor, frozen: Tensor, labels: Tensor, config: RunConfig) -> Tensor:
    """The trust in the frozen model: (batch,), in [0, 1].

    clean, frozen: (batch, classes), scores of the tuned and the frozen model, without a graph.
    With `alpha-cons-per = "batch"` every image gets the batch's value.
    """
    if config.training.alpha_cons == "constant":
        return clean.new_full((len(clean),), config.training.alpha_cons_value)
    if config.training.alpha_cons == "confidence":
        own = _belief(frozen, labels)
        return own.mean().expand(len(own)) if config.training.alpha_cons_per == "batch" else own
    tuned, reference = log_loss(clean, labels), log_loss(frozen, labels)
    if config.training.alpha_cons_per == "batch":
        tuned, reference = tuned.mean().expand(len(clean)), reference.mean().expand(len(clean))
    return tuned / (tuned + reference + TINY)


def _belief(logits: Tensor, labels: Tensor) -> Tensor:
    """p(y | x): (batch,); with several labels the mean of their beliefs, 0 if none is known."""
    if labels.ndim == 1:
        return logits.softmax(dim=-1).gather(1, labels[:, None]).squeeze(1)
    known = labels >= 0
    beliefs = logits.where(labels == 1, -logits).sigmoid().masked_fill(~known, 0.0)
    return beliefs.sum(dim=-1) / known.sum(dim=-1).clamp(min=1)
