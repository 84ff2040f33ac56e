"""What every prompting module offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fedmvp_core.backbone import Backbone
from fedmvp_core.errors import WireError
from fedmvp_core.sentences import check_sentences
from fedmvp_core.tasks import EncodedTask, Task

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
    """A trainable module whose parameters are the prompt tensors; the backbone stays outside.

    reads_class_set: whether a class's features depend on which other classes its task has.
    """

    reads_class_set: bool = False

    @abstractmethod
    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit features (batch, d)."""

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, d) of the task's classes; the frozen ones unless the module prompts text.

        It does not depend on images, so a step encodes text once, whatever the number of images.
        A module whose `recognise` makes more of it may return (classes, ..., d).
        """
        return task.class_features

    def class_features_for(
        self, backbone: Backbone, image_features: Tensor, task: EncodedTask, class_features: Tensor
    ) -> Tensor:
        """What images are compared with: (classes, d), or (batch, classes, d), an image's own.

        image_features: (batch, d), unit, with their graph, so that an attack goes through text that
        is made for an image. class_features: (classes, d) of the task, which are those of every
        image unless the module makes each its own.
        """
        return class_features

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
        seen = self.image_features(backbone, images, task)
        return Features(seen, self.class_features_for(backbone, seen, asked, class_features))

    def prompts_images(self) -> bool:
        """Whether image features depend on the prompt tensors."""
        return True

    def prompts_text(self) -> bool:
        """Whether class features do: as the module says by making its own, unless it says so."""
        return type(self).class_features is not Prompting.class_features

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """See before a run that the text encoder has room for a task's sentences and the prompts.

        Raises:
            ConfigError: it has not; a module that prompts no text has nothing to refuse.
        """

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


def check_tasks(backbone: Backbone, prompting: Prompting, tasks: Iterable[Task]) -> tuple[str, ...]:
    """What to warn of before a run, each once: what the text encoder does not read of the tasks.

    Raises:
        ConfigError: a class's name is not read, or has no room beside the prompts.
    """
    warnings: dict[str, None] = {}
    for task in tasks:
        found = check_sentences(backbone.tokenizer, task.spoken(), len(task.class_names))
        warnings |= dict.fromkeys(found)
        prompting.check_task(backbone, task)
    return tuple(warnings)
