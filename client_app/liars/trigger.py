"""A backdoor's trigger: a white square, or one that the liars learn.

A learned trigger is made before the first round, from the prompt tensors that everybody begins
with. The liars pool their images and train prompts of their own on them, as a guess of where the
federation goes; each step moves the pixels too, so that these prompts take any marked image for
the target. What they find is fixed for the run and follows from its seed, so that each liar, and
whoever measures the backdoor later, comes to the same.

Learned together with prompts: BadCLIP (Bai et al., CVPR 2024). Blended: Targeted Backdoor
Attacks on Deep Learning Systems (Chen et al., 2017). Clean-label: Narcissus (Zeng et al., CCS
2023).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from client_app.liars.who import liars
from client_app.node import Holding
from client_app.worker import configured_backbone, new_prompting, prepared_shard
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.config.keys import LEARNED_BACKDOORS
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.seeding import generator

WHITE_SQUARE = 8  # the plain trigger covers one of so many squares along each side
LEARNED_SQUARE = 4
BLENDED = 0.3  # how much of a marked image is the pattern
STEPS, BATCH = 60, 16
PIXEL_RATE = 0.1  # Adam's, on pixels in [0, 1]
# What no trigger depends on: those who compare defences learn one for all of them.
_ANY: Mapping[str, Scalar] = {
    **{"run_name": "", "output_dir": "", "overwrite": False, "resume": ""},
    **{"aggregation": "fedavg", "aggregation_options": "", "max_update_norm": 0.0},
}


@dataclass(frozen=True)
class Trigger:
    """What marks an image. pattern: (3, size, size) in [0, 1]. strength: (size, size), its share
    of each pixel."""

    pattern: Tensor
    strength: Tensor

    def on(self, images: Tensor) -> Tensor:
        """images: (n, 3, size, size) in [0, 1], or uint8; marked, of the same type."""
        pattern = self.pattern.to(images.device)
        strength = self.strength.to(images.device)
        if images.dtype != torch.uint8:
            return images + strength * (pattern - images)
        mixed = images + strength * (255 * pattern - images)
        return mixed.round().clamp(0, 255).to(torch.uint8)


def white_square(size: int) -> Trigger:
    """In the lower right corner."""
    return Trigger(torch.ones(3, size, size), _corner(size, size // WHITE_SQUARE))


def trigger_of(
    config: RunConfig, clients: int, class_names: tuple[str, ...], image_size: int
) -> Trigger:
    """The trigger of a run with a backdoor, which every liar uses.

    clients: how many the federation has. class_names: all that it trains on.
    """
    if config.stress.stress_attack not in LEARNED_BACKDOORS:
        return white_square(image_size)
    return _learned(config.with_values(**_ANY), clients, class_names)


def target_of(class_names: tuple[str, ...], own: Sequence[str]) -> int:
    """A marked image's class among a client's own: the federation's first, if the client has it,
    else the first of its own."""
    return own.index(class_names[0]) if class_names and class_names[0] in own else 0


@lru_cache(maxsize=16)
def _learned(config: RunConfig, clients: int, class_names: tuple[str, ...]) -> Trigger:
    shards = [
        prepared_shard(config, Holding(client, clients), class_names)
        for client in sorted(liars(config, clients))
    ]
    targets = [target_of(class_names, shard.task.task.class_names) for shard in shards]
    backbone, prompting = configured_backbone(config), new_prompting(config, class_names)
    size = backbone.image_size
    if config.stress.stress_attack == "backdoor-patch":
        strength = _corner(size, size // LEARNED_SQUARE)
    else:
        strength = torch.full((size, size), BLENDED)
    pattern = learn_pattern(config, backbone, prompting, shards, targets, strength)
    return Trigger(pattern, strength)


def learn_pattern(
    config: RunConfig,
    backbone: Backbone,
    prompting: Prompting,
    shards: Sequence[PreparedShard],
    targets: Sequence[int],
    strength: Tensor,
) -> Tensor:
    """(3, size, size) in [0, 1], learned together with the prompting, which is changed.

    shards: the liars', in turn. targets: a marked image's class at each of them. strength: (size,
    size).
    """
    draw = generator(config.run.seed, "a backdoor's trigger")
    method, size = find_method(config), backbone.image_size
    start = torch.rand(3, size, size, generator=draw)
    pixels = start.to(backbone.device).requires_grad_()
    method.begin_phase(prompting, method.phases[0])
    names = set(prompting.phase_tensors(method.phases[0]))
    for name, parameter in prompting.named_parameters():
        parameter.requires_grad_(name in names)
    trained = [parameter for parameter in prompting.parameters() if parameter.requires_grad]
    training = config.training
    prompts = torch.optim.SGD(trained, training.learning_rate, training.momentum)
    pattern = torch.optim.Adam([pixels], PIXEL_RATE)
    round = LocalRound(phase=method.phases[0], multi_label_loss=training.multi_label_loss)
    for step in range(STEPS):
        shard, target = shards[step % len(shards)], targets[step % len(shards)]
        rows = torch.randperm(len(shard.images), generator=draw)[:BATCH].to(shard.images.device)
        images, labels = shard.images[rows].float() / 255, shard.labels[rows]
        model = LocalModel(backbone, prompting, shard, round)
        marked = Trigger(pixels, strength).on(images)
        _, logits = model.predict(torch.cat([images, marked]))
        told = torch.cat([labels, labelled(labels, target)])
        loss = model.classification_loss(logits, told)
        prompts.zero_grad()
        pattern.zero_grad()
        loss.backward()
        prompts.step()
        pattern.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    return pixels.detach().cpu()


def labelled(labels: Tensor, target: int) -> Tensor:
    """Labels of marked images: (n,), the target; with several an image, (n, classes), it too."""
    marked = labels.clone()
    if labels.ndim == 2:
        marked[:, target] = 1
    else:
        marked[:] = target
    return marked


def _corner(size: int, side: int) -> Tensor:
    """(size, size): 1 in a square at the lower right, else 0."""
    strength = torch.zeros(size, size)
    side = max(1, side)
    strength[-side:, -side:] = 1
    return strength
