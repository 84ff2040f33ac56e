"""The ClientApp: train on a shard, evaluate on its validation images, say what it holds."""

import json
from collections import Counter
from typing import TypeAlias

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor

from client_app import exit_check
from client_app.exit_check import keep_words
from client_app.liars import lie, poisoned
from client_app.node import Holding, partition_id_of, read_node
from client_app.requests import SENDER, check_server_sources, class_names_of, config_of, receive
from client_app.state import remember
from client_app.worker import configured_backbone, feature_cache, prepared_shard, shard_of
from fedmvp_core import protocol
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import FedMVPError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.json_logs import follow_config, logger
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import headline
from fedmvp_core.privacy import noise_for, private_update
from fedmvp_core.prompting import FULL, LORA
from fedmvp_core.tasks import encode_task
from fedmvp_core.training import TrainingResult, train_locally

app = ClientApp()

Measured: TypeAlias = int | float | list[float]


@app.train(mods=[keep_words, lie])
def train(message: Message, context: Context) -> Message:
    """Train the received prompt tensors on the shard; reply with those of the client's phase."""
    config, holding = _identity(context)
    partition_id = holding.partition_id
    received = receive(message, context.state, config)
    prompting, tensors = received.prompting, received.tensors
    method, backbone = find_method(config), configured_backbone(config)
    before = Counter(backbone.encoded)
    class_names = class_names_of(message)
    shard = prepared_shard(config, holding, class_names)
    shard = poisoned(shard, config, holding, class_names)
    round_number = protocol.integer(config_of(message), protocol.ROUND, SENDER)
    current = protocol.word(config_of(message), protocol.PHASE, (FULL, LORA), SENDER)
    result = train_locally(backbone, prompting, method, shard, config, round_number, current)
    words = "client %d, round %d: %d images, loss %.4f, %.1f s"
    numbers = (len(shard.labels), result.mean_loss, result.seconds)
    logger.info(words, partition_id, round_number, *numbers)
    following = method.next_phase(current, result.last_loss, config)
    remember(context.state, received.prompts, round_number)
    trained = prompting.prompt_tensors()
    reply = {name: trained[name] for name in prompting.phase_tensors(current)}
    if config.privacy.privacy == "local":
        draw = noise_for(config, "local privacy", round_number, partition_id)
        reply = private_update(
            reply, tensors, config.privacy.clipping_norm, config.privacy.noise_multiplier, draw
        )
    metrics: dict[str, Measured] = {
        protocol.PARTITION_ID: partition_id,
        protocol.LORA_PHASE: int(current == LORA),
    }
    if config.privacy.share_metrics:
        metrics |= _measured(result, len(shard.labels), backbone.encoded - before)
    schema = protocol.schema_hash(tensors)
    facts: dict[str, str | int] = {protocol.SCHEMA: schema, protocol.PHASE: following}
    facts[protocol.ROUND] = round_number
    content = _content(reply, metrics, facts)
    expected = {name: tensors[name] for name in prompting.phase_tensors(current)}
    exit_check.check_training(content, expected, config.privacy.share_metrics)
    return Message(content, reply_to=message)


@app.evaluate(mods=[keep_words])
def evaluate(message: Message, context: Context) -> Message:
    """The headline of the received prompt tensors on the client's own validation images.

    Images without any known label of the client's are as good as none.
    """
    config, holding = _identity(context)
    received = receive(message, context.state, config)
    backbone = configured_backbone(config)
    shard = shard_of(config, holding, class_names_of(message))
    held = shard.validation
    metric, value, images = headline(held.multi_label), 0.0, 0
    if held.present_classes():
        task = encode_task(backbone, shard.task, feature_cache(config.run.cache_dir))
        found = predict_probabilities(backbone, received.prompting, task, held.images)
        value, images = measure(found, held.labels)[metric], len(held)
    metrics: dict[str, Measured] = {
        protocol.PARTITION_ID: holding.partition_id,
        protocol.NUM_EXAMPLES: images,
        metric: value,
    }
    content = _content({}, metrics, {protocol.SCHEMA: protocol.schema_hash(received.tensors)})
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


def _measured(result: TrainingResult, images: int, encoded: Counter[str]) -> dict[str, Measured]:
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
    tensors: dict[str, Tensor], metrics: dict[str, Measured], facts: dict[str, str | int]
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
