"""Random crops against a slow reference: torch's draws one by one, pixels by Pillow."""

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fedmvp_core.local.augmentation import random_crops
from fedmvp_core.seeding import generator


def smooth_images(count: int, size: int = 64) -> Tensor:
    """(count, 3, size, size) uint8 pictures that no two crops of are alike."""
    draw = generator(0, "pictures of this test")
    small = torch.randint(0, 256, (count, 3, 9, 9), generator=draw).float()
    large = torch.nn.functional.interpolate(small, size, mode="bicubic")
    return large.clamp(0, 255).to(torch.uint8)


def crop_by_hand(image: Tensor, draw: torch.Generator) -> Tensor:
    """CoOp's transform: a share of the area and a ratio of sides until a crop fits; then a coin."""
    _, height, width = image.shape
    for _ in range(10):
        area = height * width * torch.empty(1).uniform_(0.08, 1.0, generator=draw).item()
        sides = torch.empty(1).uniform_(math.log(3 / 4), math.log(4 / 3), generator=draw)
        ratio = math.exp(sides.item())
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if wide <= width and high <= height:
            top = int(torch.randint(0, height - high + 1, (1,), generator=draw))
            left = int(torch.randint(0, width - wide + 1, (1,), generator=draw))
            break
    else:
        raise AssertionError("no crop of a square fits; never seen")
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    picture = picture.crop((left, top, left + wide, top + high))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    if torch.rand(1, generator=draw) < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def test_crops_are_those_of_the_reference() -> None:
    images = smooth_images(40)
    found = random_crops(images, generator(3, "crops", 1, 2))
    draw = generator(3, "crops", 1, 2)
    expected = torch.stack([crop_by_hand(image, draw) for image in images])
    assert found.dtype == torch.uint8
    assert found.shape == images.shape
    assert (found.int() - expected.int()).abs().max() <= 2  # rounded twice by Pillow and by torch
    assert (expected.int() - images.int()).abs().float().mean() > 10  # they are other pictures


def test_draws_go_on_and_leave_the_global_generator_alone() -> None:
    images, draw = smooth_images(4), generator(3, "crops")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = random_crops(images, draw), random_crops(images, draw)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    again = generator(3, "crops")
    assert torch.equal(first, random_crops(images, again))
    assert torch.equal(second, random_crops(images, again))
