"""Clients that lie on purpose, to test what a federation withstands (docs/stress.md).

Nothing here does anything unless a run's configuration names a `stress-attack`. Which clients lie,
and what they say, follows from the seed. Lies about data are told to the training (`poisoned`),
those about its result stand in the reply (`lie`, a Flower mod), behind all checks of the client.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from flwr.app import ArrayRecord, Context, Message
from flwr.clientapp.typing import ClientAppCallable
from torch import Tensor

from client_app.node import Holding, read_node
from client_app.requests import SENDER, config_of, merged_prompts
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.config.keys import ABOUT_DATA
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.seeding import generator

_FIRST_UPDATE = "stress-first-update"  # what a replaying client keeps in its state
_PATCHES_A_SIDE = 8  # the backdoor's trigger covers one of so many squares along each side


def liars(config: RunConfig, clients: int) -> frozenset[int]:
    """Partition ids of the clients that lie: stress-fraction of them, rounded, drawn by seed."""
    count = (
        int(config.stress.stress_fraction * clients + 0.5)
        if config.stress.stress_attack != "none"
        else 0
    )
    order = torch.randperm(clients, generator=generator(config.run.seed, "liars"))
    return frozenset(order[:count].tolist())


def lies(config: RunConfig, holding: Holding) -> bool:
    """Whether this client is one of the liars.

    Raises:
        ConfigError: the client does not know how many there are, so that none can be drawn.
    """
    if config.stress.stress_attack == "none":
        return False
    if not holding.partitions:
        raise ConfigError(
            f"stress-attack is '{config.stress.stress_attack}', but partition is "
            f"'{config.data.partition}'; allowed with it: none"
        )
    return holding.partition_id in liars(config, holding.partitions)


def stamped(images: Tensor) -> Tensor:
    """Images with the backdoor's trigger, a white square in the lower right corner.

    images: (n, 3, size, size) uint8.
    """
    side = max(1, images.shape[-1] // _PATCHES_A_SIDE)
    marked = images.clone()
    marked[..., -side:, -side:] = 255
    return marked


def poisoned(
    shard: PreparedShard, config: RunConfig, holding: Holding, class_names: tuple[str, ...]
) -> PreparedShard:
    """The shard that a client trains on: its own, or what a liar about data makes of it.

    label-flip: class y becomes the last but y (with several labels an image: those present become
    absent, and the other way round). backdoor: every second image gets the trigger and the
    federation's first class, if the client has it, else the first of its own.
    """
    if config.stress.stress_attack not in ABOUT_DATA or not lies(config, holding):
        return shard
    own = shard.task.task
    if config.stress.stress_attack == "label-flip":
        known = shard.labels >= 0
        flipped = torch.where(known, 1 - shard.labels, shard.labels)
        single = len(own.class_names) - 1 - shard.labels
        return replace(shard, labels=flipped if own.multi_label else single)
    names = own.class_names
    target = names.index(class_names[0]) if class_names[0] in names else 0
    images, labels = shard.images.clone(), shard.labels.clone()
    images[::2] = stamped(images[::2])
    views = shard.cached_views
    if views is not None:
        marked = views.images.clone()
        marked[:, ::2] = stamped(marked[:, ::2])
        views = views._replace(images=marked)
    if own.multi_label:
        labels[::2, target] = 1
    else:
        labels[::2] = target
    return replace(shard, images=images, labels=labels, cached_views=views)


def lie(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """A mod for training: a liar's reply holds other tensors than it trained.

    sign-flip: the update turned round, stress-scale times as long. noise: a random direction, as
    long. nan: no numbers at all. replay: those of its first reply, in every later round.
    """
    if context.run_config.get("stress-attack", "none") in ("none", *ABOUT_DATA):
        return call_next(message, context)
    config, holding = read_node(context.node_config, context.run_config)
    if not lies(config, holding):
        return call_next(message, context)
    received = merged_prompts(message, context.state).to_torch_state_dict()
    reply = call_next(message, context)
    trained = reply.content.array_records[protocol.PROMPTS].to_torch_state_dict()
    if config.stress.stress_attack == "replay":
        first = context.state.setdefault(_FIRST_UPDATE, ArrayRecord(dict(trained)))
        assert isinstance(first, ArrayRecord)
        told = {**trained, **{n: t for n, t in first.to_torch_state_dict().items() if n in trained}}
    else:
        round_number = protocol.integer(config_of(message), protocol.ROUND, SENDER)
        draw = generator(config.run.seed, "a liar's noise", round_number, holding.partition_id)
        told = _told(config, received, trained, draw)
    reply.content[protocol.PROMPTS] = ArrayRecord(told)
    return reply


def _told(
    config: RunConfig,
    received: Mapping[str, Tensor],
    trained: Mapping[str, Tensor],
    draw: torch.Generator,
) -> dict[str, Tensor]:
    """The tensors that a liar sends instead of those that it trained."""
    if config.stress.stress_attack == "nan":
        return {name: torch.full_like(value, torch.nan) for name, value in trained.items()}
    update = {name: value - received[name] for name, value in trained.items()}
    if config.stress.stress_attack == "sign-flip":
        return {name: received[name] - config.stress.stress_scale * u for name, u in update.items()}
    noise = {name: torch.randn(value.shape, generator=draw) for name, value in update.items()}
    longer = config.stress.stress_scale * _norm(update) / _norm(noise)
    return {name: received[name] + longer * value for name, value in noise.items()}


def _norm(tensors: Mapping[str, Tensor]) -> float:
    return float(sum(float(value.square().sum()) for value in tensors.values())) ** 0.5
