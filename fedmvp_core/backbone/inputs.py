"""Checks of what callers hand to the encoders, each with a message that says what was expected."""

import torch
from torch import Tensor

# Far above 1, since pixel prompts may leave [0, 1] on purpose; far below 255.
_HIGHEST_PLAUSIBLE = 16


def check_images(images: Tensor, size: int, name: str) -> None:
    """Raise ValueError unless images are (n, 3, size, size), floats in [0, 1] or uint8.

    The range is looked at on the CPU only, where it costs no waiting, and in one image only: enough
    to tell floats up to 255.
    """
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
        raise ValueError(
            f"images have shape {tuple(images.shape)}; '{name}' expects (n, 3, {size}, {size})"
        )
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ValueError(
            f"images are {images.dtype}; expected float in [0, 1] or uint8 in [0, 255]"
        )
    if torch.compiler.is_exporting():  # there are shapes then, and no numbers
        return
    if images.device.type == "cpu" and len(images):
        highest = float(images[0].detach().amax())
        if highest > _HIGHEST_PLAUSIBLE:
            raise ValueError(f"float images reach {highest:g}; divide by 255, or pass uint8")


def check_image_tokens(tokens: Tensor, length: int, width: int) -> None:
    """Raise ValueError unless tokens are (n, length, width), as `embed_patches` returns them."""
    if tokens.ndim != 3 or tuple(tokens.shape[1:]) != (length, width):
        raise ValueError(
            f"image tokens have shape {tuple(tokens.shape)}; expected (n, {length}, {width})"
        )


def check_token_ids(tokens: Tensor, context_length: int) -> None:
    """Raise ValueError unless token ids are integers (n, context_length), n >= 1."""
    if tokens.ndim != 2 or tokens.shape[1] != context_length or not len(tokens):
        raise ValueError(
            f"token ids have shape {tuple(tokens.shape)}; expected (n, {context_length})"
        )
    if tokens.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"token ids are {tokens.dtype}; expected int64")


def check_room(end: Tensor, m: int) -> None:
    """Raise ValueError unless each end-of-text position (n,) leaves m words to be replaced."""
    if m and int(end.min()) <= m:
        raise ValueError(
            f"{m} text prompts replace the first {m} words, but sentence {int(end.argmin())} has "
            f"only {int(end.min()) - 1}: put placeholder words in front (placeholder_sentences)"
        )
