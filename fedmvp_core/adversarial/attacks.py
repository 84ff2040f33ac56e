"""The attacks of evaluation, by name (entry points of fedmvp.attacks)."""

import difflib
from functools import partial

import torch
from torch import Tensor

from fedmvp_core.adversarial.apgd import apgd
from fedmvp_core.adversarial.autoattack import autoattack
from fedmvp_core.adversarial.ensemble import Attack, ensemble
from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs
from fedmvp_core.adversarial.iterated import default_step_size, fgsm, mi_fgsm, pgd_restarts
from fedmvp_core.adversarial.l2 import pgd_l2
from fedmvp_core.adversarial.square import square
from fedmvp_core.errors import AttackError
from fedmvp_core.registry import ATTACKS, find, names_in

Logits = LogitsFunction
Draws = torch.Generator


def fgsm_attack(f: Logits, x: Tensor, y: Tensor, epsilon: float, steps: int, d: Draws) -> Tensor:
    """One signed gradient step, whatever `steps`."""
    return fgsm(f, x, y, epsilon)


def mi_fgsm_attack(f: Logits, x: Tensor, y: Tensor, epsilon: float, steps: int, d: Draws) -> Tensor:
    """Gradient steps with momentum."""
    return mi_fgsm(f, x, y, epsilon, steps)


def autoattack_attack(
    f: Logits, x: Tensor, y: Tensor, epsilon: float, steps: int, d: Draws
) -> Tensor:
    """The standard ensemble, whose budget is part of its name."""
    return autoattack(f, x, y, epsilon, d)


def _pgd(
    f: Logits, x: Tensor, y: Tensor, epsilon: float, steps: int, d: Draws, loss: str
) -> Tensor:
    size = default_step_size(epsilon, steps)
    return pgd_restarts(f, x, y, epsilon, size, steps, loss=loss, generator=d)


def _apgd(
    f: Logits, x: Tensor, y: Tensor, epsilon: float, steps: int, d: Draws, loss: str
) -> Tensor:
    return apgd(f, x, y, epsilon, steps, loss, generator=d)


# `steps` are the gradient steps of a run, and for "square" its queries ("ensemble" gives it 10 for
# each step).
pgd_attack: Attack = partial(_pgd, loss="ce")
cw_attack: Attack = partial(_pgd, loss="margin")
tpgd_attack: Attack = partial(_pgd, loss="kl")
apgd_ce_attack: Attack = partial(_apgd, loss="ce")
apgd_dlr_attack: Attack = partial(_apgd, loss="dlr")
apgd_t_attack: Attack = partial(_apgd, loss="dlr-targeted")
pgd_l2_attack: Attack = pgd_l2
square_attack: Attack = square
ensemble_attack: Attack = ensemble


def evaluation_attack(name: str) -> Attack:
    """The attack of that name: (logits_fn, images, labels, epsilon, steps, generator) -> images.

    It returns (batch, 3, h, w), detached, within epsilon of images (no pixel moves by more; of
    "pgd-l2" all pixels together do not) and in [0, 1]: the worst version
    of each image that it found. With epsilon 0 those are the images themselves. It asks for no
    parameter's gradient and leaves the global random state as it was; setting the model to
    evaluation mode is the caller's part (`attack_mode`).

    Raises:
        AttackError: no attack has this name. What comes back raises AttackError for arguments out
            of range, and when the model's logits become NaN.
    """
    names = names_in(ATTACKS)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise AttackError(f"attack is '{name}'; {hint}allowed: {', '.join(names)}")
    return partial(_unless_nothing_is_allowed, find(ATTACKS, name))


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
