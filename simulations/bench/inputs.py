"""What the parts measure on: sizes, a backbone, and a made-up shard of drawn pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from client_app.worker import configured_backbone
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, Scalar, parse_config
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import ConfigError
from fedmvp_core.tasks import Task
from simulations.bench.sizes import Sizes
from simulations.runner.project import default_config


@dataclass(frozen=True)
class Inputs:
    """sizes: of what is measured. words: keys of a run's configuration, in place of defaults."""

    sizes: Sizes
    words: Mapping[str, Scalar] = field(default_factory=dict)

    def backbone(self, precision: str | None = None) -> Backbone:
        """As a client opens it, with random weights, which cost what trained ones do."""
        return configured_backbone(self.config(**{"precision": precision or self.sizes.precision}))

    def config(self, **more: Scalar) -> RunConfig:
        """The defaults with these sizes and words; FedMVP stays in its first phase."""
        sizes = self.sizes
        chosen: dict[str, Scalar] = {
            "backbone": sizes.backbone,
            "pretrained": "",
            "device": sizes.device,
            "precision": sizes.precision,
            "batch-size": sizes.batch,
            "attack-steps": max(1, sizes.attack_steps),
            "method.lora-threshold": 0.0,
        }
        return parse_config({**default_config(), **chosen, **self.words, **more})

    def told(self) -> dict[str, Scalar]:
        """The sizes and words, for the record of a part."""
        sizes = self.sizes
        return {
            "backbone": sizes.backbone,
            "precision": sizes.precision,
            "batch": sizes.batch,
            "classes": sizes.classes,
            "attributes": sizes.attributes,
            **self.words,
        }


def made_task(classes: int, attributes: int) -> Task:
    """Class names and attributes in plenty; all of them sentences of about ten words."""
    names = tuple(f"class {label}" for label in range(classes))
    phrases = tuple(
        tuple(f"a visible thing of kind {label} {i}" for i in range(attributes))
        for label in range(classes)
    )
    return Task(names, phrases, "a photo of a {class}.", "a photo of a {class}, with {attribute}.")


def made_shard(count: int, size: int, classes: int, attributes: int) -> Shard:
    """`count` drawn pictures of all classes in turn."""
    draw = torch.Generator().manual_seed(0)
    task = made_task(classes, attributes)
    images = ImageSet(
        images=torch.randint(256, (count, 3, size, size), generator=draw, dtype=torch.uint8),
        labels=torch.arange(count) % classes,
        domains=("",) * count,
        names=tuple(map(str, range(count))),
        class_names=task.class_names,
    )
    return Shard(0, images, images, task)


def check_device(device: str) -> None:
    """Before anything is measured.

    Raises:
        ConfigError: there is no such device here.
    """
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"device is '{device}'; allowed: cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but torch finds no GPU here; nothing was measured")
