"""A model's state while it is attacked."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def attacking(*modules: nn.Module) -> Iterator[None]:
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
