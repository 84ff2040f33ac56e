"""What a liar sends: other tensors than it trained."""

from collections.abc import Iterator, Mapping

import torch
from flwr.app import ArrayRecord, Context, Message
from flwr.clientapp.typing import ClientAppCallable
from torch import Tensor

from client_app.liars import collusion
from client_app.liars.who import liars, lies, replacing
from client_app.node import PARTITION_ID, Holding, read_node
from client_app.requests import SENDER, config_of, merged_prompts
from client_app.state import only_received
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.config.keys import ABOUT_DATA, COLLUSIONS, LEARNED_BACKDOORS
from fedmvp_core.seeding import generator

_FIRST_UPDATE = "stress-first-update"  # what a replaying client keeps in its state
_MANY = 10.0  # sign-flip, noise: their length where stress-scale is 0


def lie(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """A mod for training: a liar's reply holds other tensors than it trained.

    sign-flip: the update turned round, stress-scale times as long. noise: a random direction, as
    long. nan: no numbers at all. replay: those of its first reply, in every later round. Backdoors
    that are learned: the update, longer. Collusions: what collusion.py says.
    """
    if context.run_config.get("stress-attack", "none") in ("none", *ABOUT_DATA):
        return call_next(message, context)
    config, holding = read_node(context.node_config, context.run_config)
    if not lies(config, holding):
        return call_next(message, context)
    received = merged_prompts(message, context.state).to_torch_state_dict()
    if config.stress.stress_attack in COLLUSIONS:
        trained = dict(_partners(message, context, call_next, config, holding))
        reply = call_next(message, context)
        trained[holding.partition_id] = _tensors(reply)
        told = _agreed_on(config, holding, received, trained)
    else:
        reply = call_next(message, context)
        told = _alone(message, context, config, holding, received, _tensors(reply))
    reply.content[protocol.PROMPTS] = ArrayRecord(told)
    return reply


def _tensors(reply: Message) -> dict[str, Tensor]:
    return dict(reply.content.array_records[protocol.PROMPTS].to_torch_state_dict())


def _partners(
    message: Message,
    context: Context,
    call_next: ClientAppCallable,
    config: RunConfig,
    holding: Holding,
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """What each other liar trains in this round, who need not be asked: it follows from the seed.

    In its place it trains on its shard, as it does itself, with nothing of this client's state but
    what the server sent.
    """
    for partner in sorted(liars(config, holding.partitions) - {holding.partition_id}):
        own = Context(
            run_id=context.run_id,
            node_id=context.node_id,
            node_config={**context.node_config, PARTITION_ID: partner},
            state=only_received(context.state),
            run_config=context.run_config,
        )
        yield partner, _tensors(call_next(message, own))


def _agreed_on(
    config: RunConfig,
    holding: Holding,
    received: Mapping[str, Tensor],
    trained: Mapping[int, Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """What all liars send. trained: by partition id, in honesty or on false labels."""
    # In the order of their ids, so that each of them comes to the same bits.
    updates = torch.stack([_flat(trained[client], received) for client in sorted(trained)])
    attack, own = config.stress.stress_attack, trained[holding.partition_id]
    strength, clients = config.stress.stress_scale, holding.partitions
    if attack == "lie":
        claimed = collusion.a_little(updates, clients, strength)
    elif attack == "min-max":
        claimed = collusion.min_max(updates, strength)
    elif attack == "min-sum":
        claimed = collusion.min_sum(updates, strength)
    elif attack == "ipm":
        claimed = collusion.inner_product(updates, strength or replacing(config, clients))
    else:
        claimed = collusion.agreed(updates, strength or 1.0)
    parts = claimed.split([value.numel() for value in own.values()])
    return {
        name: (received[name].double() + part.view(value.shape)).to(value.dtype)
        for (name, value), part in zip(own.items(), parts, strict=True)
    }


def _flat(trained: Mapping[str, Tensor], received: Mapping[str, Tensor]) -> Tensor:
    """(d,) float64: what was changed."""
    return torch.cat([(v.double() - received[n].double()).flatten() for n, v in trained.items()])


def _alone(
    message: Message,
    context: Context,
    config: RunConfig,
    holding: Holding,
    received: Mapping[str, Tensor],
    trained: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """What a liar sends that asks nobody."""
    attack, scale = config.stress.stress_attack, config.stress.stress_scale
    if attack == "nan":
        return {name: torch.full_like(value, torch.nan) for name, value in trained.items()}
    if attack == "replay":
        first = context.state.setdefault(_FIRST_UPDATE, ArrayRecord(dict(trained)))
        assert isinstance(first, ArrayRecord)
        kept = {n: t for n, t in first.to_torch_state_dict().items() if n in trained}
        return {**trained, **kept}
    update = {name: value - received[name] for name, value in trained.items()}
    if attack in LEARNED_BACKDOORS:
        longer = scale or replacing(config, holding.partitions)
        return {name: received[name] + longer * u for name, u in update.items()}
    if attack == "sign-flip":
        return {name: received[name] - (scale or _MANY) * u for name, u in update.items()}
    round_number = protocol.integer(config_of(message), protocol.ROUND, SENDER)
    draw = generator(config.run.seed, "a liar's noise", round_number, holding.partition_id)
    noise = {name: torch.randn(value.shape, generator=draw) for name, value in update.items()}
    longer = (scale or _MANY) * _norm(update) / _norm(noise)
    return {name: received[name] + longer * value for name, value in noise.items()}


def _norm(tensors: Mapping[str, Tensor]) -> float:
    return float(sum(float(value.square().sum()) for value in tensors.values())) ** 0.5
