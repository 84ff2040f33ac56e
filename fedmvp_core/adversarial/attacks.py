"""The attacks of evaluation, by name."""

import difflib
from functools import partial

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.autoattack import autoattack
from fedmvp_core.adversarial.ensemble import Attack, ensemble
from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs
from fedmvp_core.adversarial.iterated import default_step_size, fgsm, mi_fgsm, pgd_restarts
from fedmvp_core.adversarial.square import square
from fedmvp_core.errors import AttackError


def _pgd(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
    loss: str,
) -> Tensor:
    size = default_step_size(epsilon, steps)
    return pgd_restarts(
        logits_fn, images, labels, epsilon, size, steps, loss=loss, generator=generator
    )


def _apgd(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
    loss: str,
) -> Tensor:
    return apgd(logits_fn, images, labels, epsilon, steps, loss, generator=generator)


# `steps` are the gradient steps of a run, and for "square" its queries ("ensemble" gives it 10 for
# each step). "fgsm" always takes one step, and the budget of "autoattack" is part of its name.
ATTACKS: dict[str, Attack] = {
    "fgsm": lambda f, x, y, epsilon, steps, draws: fgsm(f, x, y, epsilon),
    "pgd": partial(_pgd, loss="ce"),
    "mi-fgsm": lambda f, x, y, epsilon, steps, draws: mi_fgsm(f, x, y, epsilon, steps),
    "cw": partial(_pgd, loss="margin"),
    "tpgd": partial(_pgd, loss="kl"),
    "apgd-ce": partial(_apgd, loss="ce"),
    "apgd-dlr": partial(_apgd, loss="dlr"),
    "apgd-t": partial(_apgd, loss="dlr-targeted"),
    "square": square,
    "ensemble": ensemble,
    "autoattack": lambda f, x, y, epsilon, steps, draws: autoattack(f, x, y, epsilon, draws),
}


def evaluation_attack(name: str) -> Attack:
    """The attack of that name: (logits_fn, images, labels, epsilon, steps, generator) -> images.

    It returns (batch, 3, h, w), detached, within epsilon of images and in [0, 1]: the worst version
    of each image that it found. With epsilon 0 those are the images themselves. It asks for no
    parameter's gradient and leaves the global random state as it was; setting the model to
    evaluation mode is the caller's part (`attack_mode`).

    Raises:
        AttackError: no attack has this name. What comes back raises AttackError for arguments out
            of range, and when the model's logits become NaN.
    """
    if name not in ATTACKS:
        near = difflib.get_close_matches(name, ATTACKS, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise AttackError(f"attack is '{name}'; {hint}allowed: {', '.join(ATTACKS)}")
    return partial(_unless_nothing_is_allowed, ATTACKS[name])


def _unless_nothing_is_allowed(
    attack: Attack,
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    check_inputs(images, labels, epsilon, steps)
    if epsilon == 0:
        return images.detach().clone()
    return attack(logits_fn, images, labels, epsilon, steps, generator)
