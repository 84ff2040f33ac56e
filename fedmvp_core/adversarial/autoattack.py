"""AutoAttack's standard ensemble (Croce & Hein, ICML 2020), from the optional pyautoattack."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import LogitsFunction, check_inputs, checked_logits
from fedmvp_core.adversarial.losses import is_multi_label
from fedmvp_core.adversarial.perturbation import all_finite, own_generator, refuse_non_finite
from fedmvp_core.errors import AttackError

FEWEST_CLASSES = 4  # below, its targeted DLR loss is undefined
_INSTEAD = "use 'ensemble', which works there"


def autoattack(
    logits_fn: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """APGD-CE, APGD-T, FAB-T and Square with the standard version's own budgets.

    That is 100 steps, 9 target classes (all others, if there are fewer) and 5,000 queries. Images
    that it cannot break come back unchanged.

    Raises:
        AttackError: pyautoattack is not installed, the problem is multi-label or has fewer than 4
            classes, arguments out of range, or NaN logits.
    """
    check_inputs(images, labels, epsilon, 1)
    if is_multi_label(labels):
        raise AttackError(f"'autoattack' knows single-label problems only; {_INSTEAD}")
    try:
        from pyautoattack import AutoAttack
    except ImportError as error:
        raise AttackError(
            "'autoattack' needs the package pyautoattack: pip install 'fedmvp[attacks]'"
        ) from error
    logits_of = checked_logits(logits_fn, labels)
    with torch.no_grad():
        logits = logits_of(images)
    refuse_non_finite(all_finite(logits), "autoattack")
    classes = logits.shape[1]
    if classes < FEWEST_CLASSES:
        raise AttackError(
            f"'autoattack' needs {FEWEST_CLASSES} classes or more, there are {classes}; {_INSTEAD}"
        )
    seed = int(torch.randint(2**31, (), generator=own_generator(generator)))
    with _state_kept(images.device):
        attack = AutoAttack(logits_of, eps=epsilon, seed=seed, device=images.device)
        attack.apgd_targeted.n_target_classes = min(9, classes - 1)
        attack.fab.n_target_classes = min(9, classes - 1)
        found, _ = attack.run_standard_evaluation(
            images.detach().clamp(0, 1), labels, batch_size=len(images)
        )
    return found.detach()


@contextmanager
def _state_kept(device: torch.device) -> Iterator[None]:
    """pyautoattack seeds the global generators and removes the process's trace function."""
    tracer = sys.gettrace()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        sys.settrace(tracer)
