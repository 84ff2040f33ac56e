"""Images on their way to the device that computes."""

import torch
from torch import Tensor


def move_images(images: Tensor, device: torch.device) -> Tensor:
    """The images on `device`, in their own type: bytes are sent as bytes, not as floats.

    To a GPU they go from page-locked memory, from which the copy runs beside what the GPU does.
    """
    to_gpu = device.type == "cuda" and images.device.type == "cpu"
    return (images.pin_memory() if to_gpu else images).to(device, non_blocking=to_gpu)
