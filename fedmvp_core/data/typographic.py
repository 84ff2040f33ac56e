"""The typographic attack: another class's name is written over the picture, since CLIP reads.

Goh et al., Multimodal Neurons in Artificial Neural Networks (2021). Where, which class and how
large are ours: a random wrong class of the task, white letters with a black rim, at a random place.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Of the picture's width that the name takes, by severity from 1; its height is a third at most.
WIDTHS = (0.3, 0.45, 0.6, 0.75, 0.9)


def misnamed(
    images: Tensor,
    labels: Tensor,
    names: tuple[str, ...],
    severity: int,
    generator: torch.Generator,
) -> Tensor:
    """images: (n, 3, size, size) uint8 -> the same, each with the name of a wrong class on it.

    labels: (n,), rows of names, of which there are two or more. severity: 1 to 5.
    """
    aside = torch.randint(1, len(names), labels.shape, generator=generator)
    wrong = (labels + aside) % len(names)
    places = torch.rand((len(images), 2), generator=generator)
    return torch.stack(
        [
            _written(image, names[name], WIDTHS[severity - 1], place)
            for image, name, place in zip(images, wrong.tolist(), places.tolist(), strict=True)
        ]
    )


def _written(image: Tensor, name: str, width: float, place: list[float]) -> Tensor:
    """image: (3, size, size) uint8. place: in [0, 1], across and down, of the room that is left."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    draw = ImageDraw.Draw(picture)
    size = picture.width / 3
    while True:
        font = ImageFont.load_default(size)
        rim = max(1, round(size / 12))
        left, top, right, bottom = draw.textbbox((0, 0), name, font=font, stroke_width=rim)
        if right - left <= width * picture.width or size < 4:
            break
        size *= 0.9
    room = (picture.width - (right - left), picture.height - (bottom - top))
    corner = (place[0] * max(room[0], 0) - left, place[1] * max(room[1], 0) - top)
    draw.text(corner, name, "white", font, stroke_width=rim, stroke_fill="black")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
