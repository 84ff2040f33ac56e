"""A prompting module with a personal tensor, for tests."""

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.tasks import EncodedTask

HALF = "half"  # the phase in which `shared` alone is trained


class PersonalFrame(Prompting):
    """Adds a shared and a personal direction to frozen image features; `other` is shared too."""

    def __init__(self, width: int, personal: tuple[str, ...] = ("own",)) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.shared = torch.nn.Parameter(0.1 * torch.randn(width, generator=draw))
        self.own = torch.nn.Parameter(0.1 * torch.randn(width, generator=draw))
        self.other = torch.nn.Parameter(0.1 * torch.randn(width, generator=draw))
        self._personal = personal

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""
        frozen = backbone.encode_image(images, normalize=True)
        moved = frozen + self.shared + self.own + self.other.square()
        return torch.nn.functional.normalize(moved, dim=-1)

    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        """full: all. half: the first two."""
        return ("shared", "own", "other") if phase == FULL else ("shared", "own")

    def personal_tensors(self) -> tuple[str, ...]:
        """Never sent."""
        return self._personal
