"""What every prompting module offers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.errors import WireError
from fedmvp_core.tasks import EncodedTask

FULL = "full"  # the phase of methods that have one alone: all prompt tensors are trained


class Features(NamedTuple):
    """What images are recognised by.

    image_features: (batch, d), unit. class_features: (classes, d), or (batch, classes, d) where
    they depend on the image. logits: (batch, classes), of a module with a rule of its own; None:
    CLIP's scaled cosines, see logits.py.
    """

    image_features: Tensor
    class_features: Tensor
    logits: Tensor | None = None


class Prompting(nn.Module, ABC):
    """A trainable module whose parameters are the prompt tensors; the backbone stays outside."""

    @abstractmethod
    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the task's classes; the frozen ones unless the module prompts text.

        It does not depend on images, so a step encodes text once, whatever the number of images.
        A module whose `recognise` makes more of it may return (classes, ..., d).
        """
        return task.class_features

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """What images are recognised by: image and class features, and logits if not their cosines.

        images: (batch, 3, height, width), in [0, 1]. task: what prompts are made from, a client's
        own. asked: whose classes are asked for; the task, or all that an attack may aim at.
        class_features: what the method of this name made of `asked`.
        """
        return Features(self.image_features(backbone, images, task), class_features)

    def forward(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Features:
        """images: (batch, 3, height, width), in [0, 1] -> prompted features for the task."""
        classes = self.class_features(backbone, task)
        return self.recognise(backbone, images, task, classes, task)

    def phase_tensors(self, phase: str) -> tuple[str, ...]:
        """Names of the prompt tensors that are trained and sent in a phase; all by default."""
        return tuple(name for name, _ in self.named_parameters())

    def personal_tensors(self) -> tuple[str, ...]:
        """Names of the prompt tensors that each client keeps to itself; none by default.

        They are trained as the others are, stay in the client's state between rounds and never
        travel. The server's model has them as they began.
        """
        return ()

    def hand_over(self, received: Mapping[str, Tensor], draw: torch.Generator) -> None:
        """Decide, after a client's last step, what stands in the tensors that are sent; no change.

        received: the prompt tensors as the round began at the server, {} where there was none.
        draw: of this client and round, on the CPU.
        """

    def prompt_tensors(self) -> dict[str, Tensor]:
        """Name -> detached copy on the CPU, in a fixed order."""
        return {
            name: value.detach().to("cpu", copy=True) for name, value in self.named_parameters()
        }

    def load_prompt_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite some or all prompt tensors.

        Raises:
            WireError: a name is unknown or a shape differs.
        """
        own = dict(self.named_parameters())
        with torch.no_grad():
            for name, value in tensors.items():
                if name not in own:
                    raise WireError(f"unknown prompt tensor '{name}'; known: {', '.join(own)}")
                if own[name].shape != value.shape:
                    raise WireError(
                        f"prompt tensor '{name}' has shape {tuple(value.shape)}, "
                        f"expected {tuple(own[name].shape)}"
                    )
                own[name].copy_(value)
