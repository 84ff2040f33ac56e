"""The ClientApp: train on a shard, evaluate on its validation images, say what it holds."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor

from client_app import exit_check
from client_app.exit_check import keep_words
from client_app.kept import MOMENTUM, WIRE_ERROR, Keeper
from client_app.liars.data import poisoned
from client_app.liars.reply import lie
from client_app.node import Holding, partition_id_of, read_node
from client_app.requests import (
    SENDER,
    Received,
    check_server_sources,
    class_names_of,
    receive,
)
from client_app.secure.handlers import answer_secure_questions
from client_app.secure.stages import masked_update
from client_app.state import remember
from client_app.worker import configured_backbone, feature_cache, prepared_shard, shard_of
from fedmvp_core import protocol
from fedmvp_core.backbone import counting
from fedmvp_core.config import RunConfig
from fedmvp_core.config.keys import FLOAT32
from fedmvp_core.errors import FedMVPError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.exchange import sent_in
from fedmvp_core.json_logs import follow_config, logger
from fedmvp_core.lockstep.jobs import taking_part
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import headline
from fedmvp_core.privacy import noise_for, private_update
from fedmvp_core.secure.records import masked_layout
from fedmvp_core.tasks import encode_task
from fedmvp_core.training import TrainingResult, train_locally
from fedmvp_core.wire import WireUpdate, to_wire, wire_layout

app = ClientApp()
answer_secure_questions(app)

Reported: TypeAlias = int | float | list[float]
Fact: TypeAlias = str | int | list[float]


@app.train(mods=[keep_words, lie])
def train(message: Message, context: Context) -> Message:
    """Train the received prompt tensors on the shard; reply with those of the client's phase."""
    config, holding = _identity(context)
    received = receive(message, context.state, config)
    method, backbone = find_method(config), configured_backbone(config)
    keeper = Keeper.of(config.run.cache_dir, received.request.run_id, holding.partition_id)
    kept = keeper.kept(context.state, received.request.round)
    received.take_up(kept)
    round = received.local_round(kept, config.training)
    protocol.one_of(round.phase, method.phases, protocol.PHASE, SENDER)
    with counting() as encoded:
        shard = prepared_shard(config, holding, received.request.class_names)
        shard = poisoned(shard, config, holding, received.request.class_names)
        with taking_part():  # of clients in lock step, if there are others
            result = train_locally(
                backbone, received.prompting, method, shard, config, round, received.terms
            )
    words = "client %d, round %d: %d images, loss %.4f, %.1f s"
    numbers = (len(shard.labels), result.mean_loss, result.seconds)
    logger.info(words, holding.partition_id, round.number, *numbers)
    remember(context.state, received.prompts, round.number)
    reply = _reply_tensors(received, result, config, holding.partition_id)
    update, errors = _as_sent(reply, received, kept, config.federation.wire_dtype)
    keeper.keep(context.state, _kept(received, result) | errors, round.number)
    names = sent_in(received.prompting, received.terms, round.phase)
    wanted = {name: received.tensors[name] for name in names}
    sent, schema = update.tensors, received.tensors
    expected = wire_layout(wanted, config.federation.wire_dtype)
    if config.privacy.secure_aggregation:
        weight = len(shard.labels) if config.federation.weighting == "examples" else 1
        sent = masked_update(message, context.state, config, reply, received.tensors, weight)
        schema = expected = masked_layout(wanted)
    metrics = _always(holding.partition_id, method.phases.index(round.phase))
    if config.privacy.share_metrics:
        metrics |= _measured(result, len(shard.labels), encoded)
    following = method.next_phase(round.phase, result.last_loss)
    facts = _facts(schema) | {protocol.PHASE: following, protocol.ROUND: round.number}
    content = _content(
        sent,
        metrics,
        facts | ({protocol.SCALES: update.scales} if update.scales else {}),
    )
    exit_check.check_training(content, expected, method.phases, config.privacy.share_metrics)
    return Message(content, reply_to=message)


def _reply_tensors(
    received: Received, result: TrainingResult, config: RunConfig, partition_id: int
) -> dict[str, Tensor]:
    """What was trained in the client's phase and what terms exchange; noisy with local privacy."""
    request = received.request
    trained = received.prompting.prompt_tensors() | result.exchanged
    names = sent_in(received.prompting, received.terms, request.phase)
    reply = {name: trained[name] for name in names}
    if config.privacy.privacy != "local":
        return reply
    draw = noise_for(config, "local privacy", request.round, partition_id)
    clip, noise = config.privacy.clipping_norm, config.privacy.noise_multiplier
    return private_update(reply, received.tensors, clip, noise, draw)


def _as_sent(
    reply: dict[str, Tensor], received: Received, kept: Mapping[str, Tensor], wire_dtype: str
) -> tuple[WireUpdate, dict[str, Tensor]]:
    """The reply as it travels, and the errors that stay; those of other tensors stay as they are.

    Raises:
        WireError: a tensor holds NaN or infinity.
    """
    if wire_dtype == FLOAT32:
        return WireUpdate(reply, [], {}), {}
    protocol.check_finite(reply, exit_check.SENDER)
    carried = {
        name.removeprefix(WIRE_ERROR): value
        for name, value in kept.items()
        if name.startswith(WIRE_ERROR)
    }
    update = to_wire(reply, received.tensors, carried, wire_dtype)
    return update, {f"{WIRE_ERROR}{n}": value for n, value in (carried | update.errors).items()}


def _kept(received: Received, result: TrainingResult) -> dict[str, Tensor]:
    """What stays with the client: personal prompt tensors, those of client terms, momentum."""
    trained, personal = received.prompting.prompt_tensors(), received.prompting.personal_tensors()
    of_terms = {f"{t}/{n}": v for t, tensors in result.kept.items() for n, v in tensors.items()}
    momentum = {f"{MOMENTUM}{name}": buffer for name, buffer in result.momentum.items()}
    return {name: trained[name] for name in personal} | of_terms | momentum


@app.evaluate(mods=[keep_words])
def evaluate(message: Message, context: Context) -> Message:
    """The headline of the received prompt tensors on the client's own validation images.

    Images without any known label of the client's are as good as none.
    """
    config, holding = _identity(context)
    received = receive(message, context.state, config)
    keeper = Keeper.of(config.run.cache_dir, received.request.run_id, holding.partition_id)
    kept = keeper.kept(context.state, received.request.round + 1)
    received.take_up(kept)
    if untrained := [n for n in received.prompting.personal_tensors() if n not in kept]:
        words = "client %d has not trained yet: it is measured with %s as they began"
        logger.warning(words, holding.partition_id, ", ".join(untrained))
    backbone = configured_backbone(config)
    shard = shard_of(config, holding, received.request.class_names)
    held = shard.validation
    metric, value, images = headline(held.multi_label), 0.0, 0
    if held.present_classes():
        task = encode_task(backbone, shard.task, feature_cache(config.run.cache_dir))
        found = predict_probabilities(backbone, received.prompting, task, held.images)
        value, images = measure(found, held.labels)[metric], len(held)
    metrics: dict[str, Reported] = {
        protocol.PARTITION_ID: holding.partition_id,
        protocol.NUM_EXAMPLES: images,
        metric: value,
    }
    content = _content({}, metrics, _facts(received.tensors))
    exit_check.check_evaluation(content)
    return Message(content, reply_to=message)


@app.query(mods=[keep_words])
def query(message: Message, context: Context) -> Message:
    """Who this client is and what it holds; a shard that cannot be made is reported, not raised."""
    description: dict[str, int | str] = {}
    try:
        description[protocol.PARTITION_ID] = partition_id_of(context.node_config)
        check_server_sources(message)
        config, holding = _identity(context)
        if holding.partitions:
            description[protocol.NUM_PARTITIONS] = holding.partitions
        shard = shard_of(config, holding, class_names_of(message))
        if config.privacy.share_metrics:
            description[protocol.NUM_EXAMPLES] = len(shard.images)
        if config.privacy.share_class_names:
            description[protocol.CLASSES] = json.dumps(shard.images.class_counts())
            description[protocol.DOMAINS] = json.dumps(shard.images.domain_counts())
    except FedMVPError as error:
        description[protocol.ERROR] = (
            str(error) if _shares(context, "class-names") else exit_check.unnamed(error)
        )
    content = RecordDict({protocol.DESCRIPTION: ConfigRecord(dict(description))})
    exit_check.check_description(
        content, _shares(context, "class-names"), _shares(context, "metrics")
    )
    return Message(content, reply_to=message)


def _always(partition_id: int, phase_number: int) -> dict[str, Reported]:
    """What a training reply says whatever the client holds."""
    return {protocol.PARTITION_ID: partition_id, protocol.PHASE_NUMBER: phase_number}


def _facts(tensors: dict[str, Tensor]) -> dict[str, Fact]:
    """The words of every reply that answers tensors."""
    return {protocol.SCHEMA: protocol.schema_hash(tensors)}


def _measured(result: TrainingResult, images: int, encoded: Counter[str]) -> dict[str, Reported]:
    """What a client tells of its training, step by step where every step measured it."""
    return {
        protocol.NUM_EXAMPLES: images,
        protocol.TRAIN_LOSS: result.mean_loss,
        protocol.SECONDS: result.seconds,
        protocol.IMAGES_ENCODED: encoded["images"],
        protocol.SENTENCES_ENCODED: encoded["sentences"],
    } | {protocol.STEP_PREFIX + name: values for name, values in result.steps.items()}


def _identity(context: Context) -> tuple[RunConfig, Holding]:
    """The run's configuration as this node sees it, and which shard it holds."""
    config, holding = read_node(context.node_config, context.run_config)
    follow_config(config.run, client=holding.partition_id)
    return config, holding


def _shares(context: Context, what: str) -> bool:
    """Whether the run lets class-names or metrics leave; not when its configuration is broken."""
    return context.run_config.get(f"share-{what}") is True


def _content(
    tensors: dict[str, Tensor], metrics: dict[str, Reported], facts: dict[str, Fact]
) -> RecordDict:
    return RecordDict(
        {
            protocol.PROMPTS: ArrayRecord(
                {name: torch.as_tensor(t) for name, t in tensors.items()}
            ),
            protocol.METRICS: MetricRecord(dict(metrics)),
            protocol.CONFIG: ConfigRecord(dict(facts)),
        }
    )
