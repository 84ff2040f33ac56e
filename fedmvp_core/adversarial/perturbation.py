"""What attacks are made of: attack mode, the ball, the random start, the gradient of the images."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fedmvp_core.adversarial.inputs import LogitsFunction
from fedmvp_core.adversarial.losses import Loss
from fedmvp_core.errors import AttackError
from fedmvp_core.lockstep import calls

logger = logging.getLogger(__name__)


@contextmanager
def attack_mode(*modules: nn.Module) -> Iterator[None]:
    """Inside the block: evaluation mode, and no parameter asks for a gradient.

    So an attack computes gradients of the images only and keeps nothing for those of weights.
    Afterwards every module's mode and every parameter's flag are as they were, also after an error.
    """
    modes = [(part, part.training) for module in modules for part in module.modules()]
    flags = [(weight, weight.requires_grad) for module in modules for weight in module.parameters()]
    try:
        for module in modules:
            module.eval().requires_grad_(False)
        yield
    finally:
        for part, training in modes:
            part.training = training
        for weight, asks in flags:
            weight.requires_grad_(asks)


def ball(images: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The lowest and highest value of each pixel: within epsilon of `images` and inside [0, 1]."""
    images = images.detach().clamp(0, 1)
    return (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)


def own_generator(generator: torch.Generator | None) -> torch.Generator:
    """A CPU generator to draw from; None: a copy of the global one, which is left as it was."""
    if generator is not None:
        return generator
    return torch.Generator().set_state(torch.get_rng_state())


def uniform_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in [-1, 1], shaped as `images`, on their device.

    generator: a CPU generator. On another device it only seeds one of that device: 19 million
    numbers for a batch of ViT-B/16 take a CPU as long as the whole attack takes a GPU.
    """
    draws = generator
    if images.device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
        draws = torch.Generator(images.device).manual_seed(seed)
    noise = torch.rand(images.shape, generator=draws, dtype=images.dtype, device=images.device)
    return noise.mul_(2).sub_(1)


def input_gradient(
    logits_of: LogitsFunction, loss_of: Loss, images: Tensor, labels: Tensor, reference: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One forward and one backward pass, to the images only.

    No parameter's .grad is touched, and none is computed. Works under torch.no_grad() too.

    Returns:
        The gradient of each image's loss (batch, 3, h, w), the losses (batch,), the logits
        (batch, classes): all detached.

    Raises:
        AttackError: the logits do not depend on the images by way of a gradient.
    """
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        logits = logits_of(images)
        if not logits.requires_grad:
            raise AttackError(
                "the model's logits have no gradient with respect to the images: it detaches them, "
                "or runs under no_grad"
            )
        losses = loss_of(logits, labels, reference)
        gradient = calls.gradient(losses.sum(), images)
    if gradient is None:
        raise AttackError("the model's logits do not depend on the images: nothing to attack")
    return gradient, losses.detach(), logits.detach()


def all_finite(*tensors: Tensor) -> Tensor:
    """() bool: no NaN and no infinity. Gather it over the steps: looking at it waits for a GPU."""
    return torch.stack([tensor.isfinite().all() for tensor in tensors]).all()


def warn_of_vanished(gradient: Tensor, attack: str) -> None:
    """Log how many images have a gradient of exactly 0: no signed step can move them.

    Their robustness against this attack is masking, not strength.
    """
    vanished = int((gradient.flatten(1) == 0).all(dim=1).sum())
    if vanished:
        logger.warning(
            "%s: %d of %d images have a gradient of 0, so this attack proves nothing about them; "
            "'ensemble' also runs losses blind to scale and a gradient-free attack",
            attack,
            vanished,
            len(gradient),
        )


def refuse_non_finite(finite: Tensor, what: str) -> None:
    """Raise AttackError when `finite`, a () bool tensor gathered over the steps, is False."""
    if not bool(finite):
        raise AttackError(
            f"{what}: the model's logits, their loss or its gradient became NaN or infinite during "
            "the attack (try float32 weights, and look at the clean logits)"
        )
