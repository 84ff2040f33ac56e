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

from dataclasses import dataclass

from torch import Tensor

from fedmvp_core.config.options import Annotated, Between, OneOf, option
from fedmvp_core.local.model import LocalModel
from fedmvp_core.losses.classification import divergence, log_loss
from fedmvp_core.objectives.objective import Batch, Loss, LossFunction, Objective

# Both cross-entropies may be 0 to float precision; the ratio is then undefined.
TINY = 1e-12


@dataclass(frozen=True)
class CAPTOptions:
    """lambda, and how alpha_cons is found."""

    capt_weight: Annotated[float, Between(0)] = option(
        2.0, "lambda: weight of the adversarial consistency"
    )
    alpha_cons: Annotated[str, OneOf(("constant", "ce-ratio", "confidence"))] = option(
        "ce-ratio", "how much the frozen model is trusted"
    )
    alpha_cons_value: Annotated[float, Between(0, 1)] = option(0.5, "that trust, if constant")
    alpha_cons_per: Annotated[str, OneOf(("batch", "sample"))] = option(
        "sample", "whether each image or each batch has a trust of its own"
    )


def capt(options: CAPTOptions) -> LossFunction:
    """Clean cross-entropy and the weighted consistency."""

    def loss(model: LocalModel, batch: Batch) -> Loss:
        _, clean = model.predict(batch.images)
        _, attacked = model.predict(batch.adversarial)
        consistency, measured = adversarial_consistency(clean, attacked, batch, options)
        value = model.classification_loss(clean, batch.labels)
        return Loss(value + options.capt_weight * consistency, measured)

    return loss


def adversarial_consistency(
    clean: Tensor, attacked: Tensor, batch: Batch, options: CAPTOptions
) -> tuple[Tensor, dict[str, Tensor]]:
    """The bracket of the objective, averaged over the batch, and its alpha_cons for the log.

    clean, attacked: (batch, classes), the tuned model's logits of x and x~.
    """
    alpha = alpha_cons(clean.detach(), batch.frozen_logits, batch.labels, options)
    to_itself = divergence(clean, attacked, batch.multi_label)
    to_frozen = divergence(batch.frozen_logits, attacked, batch.multi_label)
    consistency = ((1 - alpha) * to_itself + alpha * to_frozen).mean()
    return consistency, {"alpha-cons": alpha.mean()}


def alpha_cons(clean: Tensor, frozen: Tensor, labels: Tensor, options: CAPTOptions) -> Tensor:
    """The trust in the frozen model: (batch,), in [0, 1].

    clean, frozen: (batch, classes), logits of the tuned and the frozen model, without a graph.
    With `alpha-cons-per = "batch"` every image gets the batch's value.
    """
    if options.alpha_cons == "constant":
        return clean.new_full((len(clean),), options.alpha_cons_value)
    if options.alpha_cons == "confidence":
        own = _belief(frozen, labels)
        return own.mean().expand(len(own)) if options.alpha_cons_per == "batch" else own
    tuned, reference = log_loss(clean, labels), log_loss(frozen, labels)
    if options.alpha_cons_per == "batch":
        tuned, reference = tuned.mean().expand(len(clean)), reference.mean().expand(len(clean))
    return tuned / (tuned + reference + TINY)


def _belief(logits: Tensor, labels: Tensor) -> Tensor:
    """p(y | x): (batch,); with several labels the mean of their beliefs, 0 if none is known."""
    if labels.ndim == 1:
        return logits.softmax(dim=-1).gather(1, labels[:, None]).squeeze(1)
    known = labels >= 0
    beliefs = logits.where(labels == 1, -logits).sigmoid().masked_fill(~known, 0.0)
    return beliefs.sum(dim=-1) / known.sum(dim=-1).clamp(min=1)


objective = Objective(
    "capt", "CAPT (arXiv 2405.11154)", capt, CAPTOptions, attack="ce", reads=("frozen_logits",)
)
