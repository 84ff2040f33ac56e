"""Local training: plain SGD on prompt tensors over one shard."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, TrainingSection
from fedmvp_core.errors import FedMVPError
from fedmvp_core.local.attack import TrainingAttack
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.local.views import EpochViews, epoch_views
from fedmvp_core.lockstep import calls
from fedmvp_core.lockstep.jobs import own_seconds
from fedmvp_core.methods import ConfiguredMethod
from fedmvp_core.methods.fit import check_labels
from fedmvp_core.objectives import Batch, Loss
from fedmvp_core.prompting import Prompting
from fedmvp_core.seeding import generator
from fedmvp_core.terms.term import ConfiguredTerm, MeanGradients, finished_terms


@dataclass(frozen=True)
class TrainingResult:
    """seconds of local work; steps: what each step measured, by name, "loss" among them.

    exchanged: tensors of client terms for the server, by the names that travel. kept: those that
    the client keeps, by term. momentum: SGD's buffers after the last step, by prompt tensor, on the
    CPU; {} unless the run keeps them.
    """

    seconds: float
    steps: dict[str, list[float]]
    exchanged: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    momentum: dict[str, Tensor] = field(default_factory=dict)

    @property
    def mean_loss(self) -> float:
        """Over all steps."""
        return sum(self.steps["loss"]) / len(self.steps["loss"])

    @property
    def last_loss(self) -> float:
        """Of the last step."""
        return self.steps["loss"][-1]


def learning_rate(training: TrainingSection, rounds: int, round: int) -> float:
    """Cosine from learning-rate to nearly 0 over the rounds (1-based), after the warm-up.

    The first `warmup-rounds` train at `warmup-rate`; the cosine goes on below them, as CoOp's
    constant warm-up has it.
    """
    if round <= training.warmup_rounds:
        return training.warmup_rate
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * (round - 1) / rounds))


def train_locally(
    backbone: Backbone,
    prompting: Prompting,
    method: ConfiguredMethod,
    shard: PreparedShard,
    config: RunConfig,
    round: LocalRound,
    terms: Sequence[ConfiguredTerm] = (),
) -> TrainingResult:
    """Train the phase's prompt tensors in place for `local-epochs` epochs; every batch is a step.

    The optimiser starts afresh each round; with `keep-momentum` it has the buffers of the client's
    last round, as if it had lived on while the tensors were replaced.

    Raises:
        FedMVPError: the loss is not finite, or a multi-label client has one class alone; the
            message names the client. Or the objective has no form for several labels.
    """
    started = own_seconds()
    if method.objective is not None:
        check_labels(method.objective, shard.task.task.multi_label)
    _check_classes(shard)
    training, seed, number = config.training, config.run.seed, round.number
    loss_of, attack = method.loss(), method.attack()
    method.begin_phase(prompting, round.phase)
    trained = _select_trained(prompting, round.phase)
    rate = learning_rate(training, config.federation.rounds, number)
    optimizer = _optimizer(trained, training, rate, round.momentum)
    draw = generator(seed, "local training", number, shard.partition_id)
    attack_draw = generator(seed, "attack in training", number, shard.partition_id)
    reads = method.objective.reads if method.objective is not None else ()
    views = epoch_views(backbone, shard, training, seed, number, draw, reads)
    measured: list[dict[str, Tensor]] = []
    gradients = MeanGradients(trained if terms else {})
    for _ in range(training.local_epochs):
        for batch in _batches(shard, training.batch_size, draw, views):
            model = LocalModel(backbone, prompting, shard, round)
            if attack is not None:
                batch = _attacked(model, attack, batch, attack_draw)
            loss = _with_terms(loss_of(model, batch), terms, model)
            optimizer.zero_grad(set_to_none=True)
            calls.backward(loss.value)
            gradients.add()
            optimizer.step()
            measured.append({"loss": loss.value.detach(), **loss.measured})
    # One transfer from the device for each quantity, after the last step.
    steps = {name: torch.stack([step[name] for step in measured]).tolist() for name in measured[0]}
    _check_finite(steps["loss"], shard.partition_id, number)
    finished = finished_terms(terms, round, gradients.means())
    prompting.hand_over(round.received, generator(seed, "hand over", number, shard.partition_id))
    momentum = _momentum(optimizer, trained, round.momentum) if training.keep_momentum else {}
    return TrainingResult(own_seconds() - started, steps, *finished, momentum)


def _optimizer(
    trained: Mapping[str, torch.nn.Parameter],
    training: TrainingSection,
    rate: float,
    momentum: Mapping[str, Tensor],
) -> torch.optim.SGD:
    """SGD over the trained tensors, with the buffers that there are of them."""
    optimizer = torch.optim.SGD(
        trained.values(), lr=rate, momentum=training.momentum, weight_decay=training.weight_decay
    )
    for name in trained.keys() & momentum.keys():
        buffer = momentum[name].to(trained[name].device, copy=True)
        optimizer.state[trained[name]]["momentum_buffer"] = buffer
    return optimizer


def _momentum(
    optimizer: torch.optim.SGD,
    trained: Mapping[str, torch.nn.Parameter],
    before: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """The buffers to keep: those just moved, and those of tensors that this phase leaves alone."""
    moved = {name: optimizer.state[p].get("momentum_buffer") for name, p in trained.items()}
    now = {name: buffer.cpu() for name, buffer in moved.items() if buffer is not None}
    return {**before, **now}


def _with_terms(loss: Loss, terms: Sequence[ConfiguredTerm], model: LocalModel) -> Loss:
    """The loss with the penalties of the client terms, each measured under the term's name."""
    for term, options in terms:
        penalty = term.penalty(options, model)
        loss = Loss(loss.value + penalty, {**loss.measured, term.name: penalty.detach()})
    return loss


def _check_classes(shard: PreparedShard) -> None:
    """A label's logit is what sets its class apart from all: one class alone has none."""
    task = shard.task.task
    if task.multi_label and len(task.class_names) == 1:
        raise FedMVPError(
            f"client {shard.partition_id} holds images of '{task.class_names[0]}' alone; several "
            "labels an image need 2 classes or more at each client: use fewer clients, or another "
            "partition"
        )


def _attacked(
    model: LocalModel, attack: TrainingAttack, batch: Batch, draw: torch.Generator
) -> Batch:
    """The batch with the attack's answer to it; prompt tensors get no gradients meanwhile."""
    with attack_mode(model.prompting):
        labels = model.shard.attack_labels(batch.labels)
        return batch._replace(adversarial=attack(model, batch.images, labels, draw))


def _select_trained(prompting: Prompting, phase: str) -> dict[str, torch.nn.Parameter]:
    """Only the phase's tensors ask for gradients; they are returned by name."""
    names = set(prompting.phase_tensors(phase))
    for name, parameter in prompting.named_parameters():
        parameter.requires_grad_(name in names)
    return {name: p for name, p in prompting.named_parameters() if p.requires_grad}


def _batches(
    shard: PreparedShard, batch_size: int, draw: torch.Generator, views: EpochViews
) -> Iterator[Batch]:
    """One epoch in a drawn order; the last batch may be smaller, and is trained too."""
    order = torch.randperm(len(shard.labels), generator=draw).to(shard.labels.device)
    steps = order.split(batch_size)
    for rows, seen in zip(steps, views(steps), strict=True):
        yield Batch(seen.images, shard.labels[rows], *seen[1:], adversarial=seen.images)


def _check_finite(history: list[float], partition_id: int, round: int) -> None:
    for step, loss in enumerate(history, start=1):
        if not math.isfinite(loss):
            raise FedMVPError(
                f"the loss of client {partition_id} is {loss} at step {step} of round {round}; "
                "a smaller learning-rate may help"
            )
