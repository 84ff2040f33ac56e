"""Signs of gradient masking: a model that hides its gradients looks robust, and is not.

The checks are those of Athalye, Carlini and Wagner (ICML 2018) and of Carlini et al. (2019, "On
evaluating adversarial robustness"). None proves robustness; one that rings says that an accuracy
under a gradient attack is too high to be believed.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.iterated import default_step_size
from fedmvp_core.adversarial.losses import is_multi_label
from fedmvp_core.adversarial.masking_probe import Budget, Probe, vanished
from fedmvp_core.adversarial.square import square
from fedmvp_core.errors import AttackError

EPSILONS = (1 / 255, 2 / 255, 4 / 255, 8 / 255)
LARGE_EPSILON = 32 / 255  # the eye sees it
LEFT = 0.05  # of accuracy, at the large epsilon
LEFT_OF_LABELS = 0.5  # the same with several labels an image: not better than a coin
LOSS_RISE = 0.01  # of the iterated attack's loss
VANISHED = 0.05  # of the images
DISAGREEMENT = 1e-4  # of two passes, over the largest logit
ENOUGH_DRAWS = 10  # averaged, a random model's gradient is worth following


@dataclass(frozen=True)
class Finding:
    """One check. It passes while `measured` is at most `threshold`.

    expects: what holds for a model that hides nothing. numbers: what `measured` was made of;
    accuracies are in [0, 1]. unchecked: why the check could not be made, or "".
    """

    check: str
    expects: str
    measured: float
    threshold: float
    numbers: Mapping[str, float] = field(default_factory=dict)
    unchecked: str = ""

    @property
    def passed(self) -> bool | None:
        """None: not checked. A NaN does not pass."""
        return None if self.unchecked else self.measured <= self.threshold + 1e-9


def masking_findings(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    budget: Budget,
    frozen_fn: LogitsFunction | None = None,
    on_check: Callable[[str], None] = lambda check: None,
) -> list[Finding]:
    """Every check on one model, in a fixed order.

    Args:
        logits_fn: images (batch, 3, h, w) in [0, 1] -> logits (batch, classes).
        images: (n, 3, h, w), float32 or float64 in [0, 1]. labels: (n,) or (n, classes), as for
            the attacks. With several labels an image, accuracy is the share of labels that are
            right.
        frozen_fn: another model, whose adversarial images are tried on this one; None: no such.
        on_check: called with the name of each check before it begins.

    Raises:
        AttackError: arguments out of range, an epsilon of 0, or logits that are NaN or have no
            gradient.
    """
    for steps in (budget.steps, budget.few_steps, budget.queries):
        check_inputs(images, labels, budget.epsilon, steps)
    if budget.epsilon == 0:
        raise AttackError("epsilon is 0; the checks for masking need one above 0")
    model = Probe(checked_logits(logits_fn, labels), images, labels, budget)
    on_check("randomness")
    randomness = _randomness(model)
    on_check("gradients")
    gradients = _gradients(model)
    on_check("white box")
    white = model.accuracy(model.climbed(budget.epsilon, budget.steps))
    on_check("black-box")
    black_box = _black_box(model, white)
    on_check("more-steps")
    more = _more_steps(model, white)
    on_check("larger-epsilon")
    larger = _larger_epsilon(model)
    on_check("large-epsilon")
    large = _large_epsilon(model)
    on_check("one-step")
    one_step = _one_step(model)
    on_check("transfer")
    transfer = _transfer(model, frozen_fn, white)
    found = [black_box, more, larger, large, one_step, gradients, transfer, randomness]
    if model.accuracy(images) == 0:
        nothing = "no image is right before the attack"
        found = [f if f.check == "randomness" else replace(f, unchecked=nothing) for f in found]
    return found


def _black_box(model: Probe, white: float) -> Finding:
    budget = model.budget
    found = model.attacked(lambda f, x, y, d: square(f, x, y, budget.epsilon, budget.queries, d))
    black = model.accuracy(found)
    return Finding(
        "black-box",
        "Square, without gradients, does not beat APGD",
        white - black,
        model.chance,
        {f"apgd-ce-{budget.steps}": white, f"square-{budget.queries}": black},
    )


def _more_steps(model: Probe, white: float) -> Finding:
    budget = model.budget
    few = model.accuracy(model.climbed(budget.epsilon, budget.few_steps))
    return Finding(
        "more-steps",
        "more steps do not raise accuracy",
        white - few,
        model.chance,
        {f"apgd-ce-{budget.few_steps}": few, f"apgd-ce-{budget.steps}": white},
    )


def _larger_epsilon(model: Probe) -> Finding:
    steps = model.budget.few_steps
    numbers = {"clean": model.accuracy(model.images)}
    for epsilon in EPSILONS:
        attacked = model.climbed(epsilon, steps)
        numbers[f"eps={255 * epsilon:.0f}/255"] = model.accuracy(attacked)
    left = list(numbers.values())
    rises = [after - min(left[:place]) for place, after in enumerate(left) if place]
    return Finding(
        "larger-epsilon",
        f"a larger epsilon does not raise accuracy (apgd-ce-{steps})",
        max(rises),
        model.chance,
        numbers,
    )


def _large_epsilon(model: Probe) -> Finding:
    epsilon, steps = max(LARGE_EPSILON, model.budget.epsilon), model.budget.steps
    left = model.accuracy(model.climbed(epsilon, steps))
    several = is_multi_label(model.labels)
    return Finding(
        "large-epsilon",
        f"{255 * epsilon:.0f}/255 leaves nearly nothing (apgd-ce-{steps})",
        left,
        LEFT_OF_LABELS if several else max(LEFT, 1 / len(model.images)),
        {"clean": model.accuracy(model.images), f"eps={255 * epsilon:.0f}/255": left},
    )


def _one_step(model: Probe) -> Finding:
    """Both attacks at their last iterate: the worst case of the steps would hide what is asked."""
    epsilon, steps = model.budget.epsilon, model.budget.few_steps
    size = default_step_size(epsilon, steps)
    losses = {}
    for name, step, count in (("fgsm", epsilon, 1), (f"pgd-{steps}", size, steps)):
        losses[name] = model.loss(model.last_iterate(step, count))
    once, iterated = losses.values()
    return Finding(
        "one-step",
        "one step does not reach a higher loss than many",
        (once - iterated) / max(abs(iterated), 1e-12),
        LOSS_RISE,
        losses,
    )


def _gradients(model: Probe) -> Finding:
    parts = [
        vanished(model.logits_of, x, y, model.budget.epsilon)
        for x, y in model.batches(model.images)
    ]
    right, zero, small = (torch.cat(column) for column in zip(*parts, strict=True))
    count = int(right.sum())
    share = float((right & (zero | small)).sum()) / count if count else math.nan
    return Finding(
        "gradients",
        "the gradients of the images have not vanished",
        share,
        VANISHED,
        {
            "images": count,
            "zero": int((right & zero).sum()),
            "too-small": int((right & small & ~zero).sum()),
        },
    )


def _transfer(model: Probe, frozen_fn: LogitsFunction | None, white: float) -> Finding:
    expects = "adversarial images of the frozen model do not beat APGD on this one"
    if frozen_fn is None:
        alone = "this is the frozen model"
        return Finding("transfer", expects, math.nan, model.chance, unchecked=alone)
    steps = model.budget.steps
    size = default_step_size(model.budget.epsilon, steps)
    frozen = checked_logits(frozen_fn, model.labels)
    carried = model.accuracy(model.last_iterate(size, steps, frozen))
    return Finding(
        "transfer",
        expects,
        white - carried,
        model.chance,
        {f"apgd-ce-{steps}": white, f"pgd-{steps} of the frozen model": carried},
    )


@torch.no_grad()
def _randomness(model: Probe) -> Finding:
    """Two passes of the same images; a random model needs attacks that average over draws."""
    first, second = (
        torch.cat([model.logits_of(x) for x, _ in model.batches(model.images)]) for _ in range(2)
    )
    apart = float((first - second).abs().amax() / first.abs().amax().clamp(min=1e-12))
    answers = (first > 0) == (second > 0)
    if not is_multi_label(model.labels):
        answers = first.argmax(dim=1) == second.argmax(dim=1)
    averaged = model.budget.draws >= ENOUGH_DRAWS
    return Finding(
        "randomness",
        f"two passes agree, or the attacks average over {ENOUGH_DRAWS} draws or more",
        0.0 if averaged else apart,
        DISAGREEMENT,
        {
            "difference": apart,
            "same-answers": float(answers.double().mean()),
            "draws": model.budget.draws,
        },
    )
