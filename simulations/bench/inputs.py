"""What the parts measure on: sizes, a backbone, and a made-up shard of drawn pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import RunConfig, Scalar, parse_config
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.tasks import Task
from simulations.bench.sizes import Sizes
from simulations.runner.project import default_config


@dataclass(frozen=True)
class Inputs:
    """sizes: of what is measured. words: keys of a run's configuration, for parts that run one."""

    sizes: Sizes
    words: Mapping[str, Scalar] = field(default_factory=dict)

    def backbone(self) -> Backbone:
        """With random weights, which cost what trained ones do."""
        return load_backbone(self.sizes.backbone, None, self.sizes.device, self.sizes.precision)

    def config(self, **more: Scalar) -> RunConfig:
        """The defaults with these sizes; FedMVP stays in its first phase."""
        chosen = {"batch-size": self.sizes.batch, "attack-steps": max(1, self.sizes.attack_steps)}
        return parse_config({**default_config(), **chosen, "method.lora-threshold": 0.0, **more})

    def told(self) -> dict[str, Scalar]:
        """The sizes, for the record of a part."""
        sizes = self.sizes
        return {
            "backbone": sizes.backbone,
            "precision": sizes.precision,
            "batch": sizes.batch,
            "classes": sizes.classes,
            "attributes": sizes.attributes,
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
