"""The ServerApp: find the clients, run the rounds, test and keep the prompt tensors."""

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.settings import Setting, load_setting
from fedmvp_core.errors import FedMVPError, StorageError
from fedmvp_core.exchange import kept_by_clients, prompt_part, travelling_tensors
from fedmvp_core.json_logs import follow_config, logger
from fedmvp_core.methods import ConfiguredMethod, check_attackable, find_method
from fedmvp_core.methods.published import departures
from fedmvp_core.prompting import Prompting, check_tasks
from fedmvp_core.registry import METRICS, find
from fedmvp_core.run_folder import WORKER_LOST
from fedmvp_core.terms import configured_terms
from fedmvp_core.workspace import feature_cache, open_backbone
from server_app.aggregation import ConfiguredAggregation, Rule, asked_terms
from server_app.callbacks import Callbacks
from server_app.cohort.arriving import ArrivingGrid, arriving
from server_app.cohort.nodes import Node, cohort_size, find_nodes, places
from server_app.evaluation.clean import CentralEvaluation
from server_app.evaluation.examiner import Examiner
from server_app.evaluation.robust import ZERO_SHOT, RobustEvaluation
from server_app.evaluation.shards import tested_shards
from server_app.guest_strategy import GuestStrategy, make_strategy
from server_app.privacy import with_central_privacy, within_budget
from server_app.records.checkpoints import Checkpoint, ServerState
from server_app.records.run_folder import RunFolder
from server_app.replies.lost_workers import WorkerLostError
from server_app.secure.strategy import SecureStrategy
from server_app.start_checks import (
    check_attack,
    check_attack_package,
    check_batching,
    check_counts,
    check_examples,
    check_room,
)
from server_app.strategy import Exchange, PromptStrategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federation; its folder says how it ended, whatever happens."""
    config = parse_config(context.run_config)
    follow_config(config.run)
    folder = RunFolder(config)
    logger.info("run folder: %s", folder.path)
    callbacks = Callbacks()
    folder.on_event = callbacks.tell
    ended: dict[str, Any] = {"event": "end", "status": "interrupted", "error": None}
    try:
        callbacks.begin(config, folder.path)
        _run(arriving(grid), config, folder)
        folder.end("completed")
    except KeyboardInterrupt:
        raise  # whoever ended the run says so
    except BaseException as error:
        known = _known(error, folder)
        sentence = (
            str(known) if isinstance(known, FedMVPError) else f"{type(known).__name__}: {known}"
        )
        ended |= {"status": "failed", "error": sentence}
        with suppress(OSError):  # of a full disk, which the log tells of
            if isinstance(known, WorkerLostError):
                folder.event(WORKER_LOST, reason=sentence)
            folder.end("failed", sentence)
        if known is error:
            raise
        raise known from error
    finally:
        callbacks.tell(ended)  # of an end that the folder could not write
        folder.give_way()


def _known(error: BaseException, folder: RunFolder) -> BaseException:
    """An error that a user can mend in place of the system's, if there is one."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no space is left for the run folder '{folder.path}' ({error.strerror}); its "
            f"checkpoint of round {folder.rounds_completed} is whole: free some space, and go on "
            "with resume=latest"
        )
    return error


def _run(grid: Grid, config: RunConfig, folder: RunFolder) -> None:
    """The steps of a run, from the backbone to the last table."""
    check_batching(config.federation, one_process=not isinstance(grid, ArrivingGrid))
    check_attack_package(config.evaluation.robust_attack)
    # `precision` is the clients': what is reported is measured in float32, attacks above all.
    backbone = open_backbone(config.model, precision="fp32")
    _say(backbone)
    folder.write_environment(str(backbone.device), str(backbone.activation))
    method = find_method(config)
    for departure in departures(config):  # `flwr run` alone sets nothing by protocol=published
        logger.warning("protocol is 'published', but %s", departure)
    if method.trains:
        config = within_budget(config)
    setting = load_setting(config, backbone.image_size)
    folder.write_splits(setting)
    prompting = method.build_prompting(backbone, setting.train.class_names)
    if note := kept_by_clients(prompting, config):
        logger.warning("%s", note)
    nodes = find_nodes(grid, config, setting.train.class_names)
    check_counts(config, places(nodes, config.data))
    if method.trains and len(nodes) == places(nodes, config.data):
        check_examples(config.federation, [node.num_examples for node in nodes])
    folder.write_shards(nodes)
    examiner = _examiner(config, folder, backbone, method, prompting, setting, nodes)
    exchange = _exchange(config, method, prompting, setting.train.class_names)
    check_room(config.run, exchange.tensors, examiner.rounds - (folder.resumed_after or 0))
    numbers = sum(tensor.numel() for tensor in prompting.prompt_tensors().values())
    for warning in setting.warnings:
        folder.event("warning", text=warning)
    folder.event("start", rounds=examiner.rounds, clients=len(nodes), prompt_numbers=numbers)
    start = _start(examiner, exchange.tensors)
    examiner.test(start.round, prompt_part(start.tensors, prompting))
    if examiner.rounds:
        _train(grid, config, examiner, exchange, nodes, start)
    _conclude(examiner, setting.train.multi_label)


def _say(backbone: Backbone) -> None:
    """Log how the weights were read; a doubt about their activation is a warning."""
    for note in backbone.notes:
        logger.info("%s", note)
    say = logger.warning if backbone.activation.doubt else logger.info
    say("activation: %s", backbone.activation)


def _examiner(
    config: RunConfig,
    folder: RunFolder,
    backbone: Backbone,
    method: ConfiguredMethod,
    prompting: Prompting,
    setting: Setting,
    nodes: Sequence[Node],
) -> Examiner:
    """Who tests, attacks and keeps the tensors."""
    cache = feature_cache(config.run)
    shards = tested_shards(setting, nodes, config)
    check_attackable(method, shards, config)
    more = [find(METRICS, name) for name in config.evaluation.metrics.split(",") if name]
    central = CentralEvaluation(backbone, setting, shards, cache, more)
    check_attack(config.evaluation.robust_attack, (*central.splits, *central.local))
    for cut in check_tasks(backbone, prompting, (task.task for task in central.tasks.values())):
        logger.warning("%s", cut)
    attacked = config.evaluation.robust_attack != "none"
    robust = RobustEvaluation(backbone, config, central) if attacked else None
    rounds = config.federation.rounds if method.trains else 0
    return Examiner(config, folder, backbone, prompting, central, robust, rounds)


def _exchange(
    config: RunConfig, method: ConfiguredMethod, prompting: Prompting, class_names: Sequence[str]
) -> Exchange:
    """Which tensors travel, with those of the terms that method and aggregation ask for."""
    texts = asked_terms(config, method)
    terms = configured_terms(texts)
    tensors = travelling_tensors(prompting, terms)
    return Exchange(prompting, tensors, method.phases, class_names, texts, terms)


def _rule(config: RunConfig, exchange: Exchange, nodes: Sequence[Node]) -> Rule:
    """What aggregates: an aggregation, a plugin's strategy, or the private mean.

    Raises:
        ConfigError: it cannot be made, or cannot work with so small a cohort.
    """
    federation = config.federation
    if federation.strategy:
        return GuestStrategy(make_strategy(federation), federation.strategy, config.run.seed)
    aggregation = ConfiguredAggregation(config)
    aggregation.check_cohort(cohort_size(len(nodes), federation.fraction_train))
    names = [name for phase in exchange.phases for name in exchange.sent_in(phase)]
    cohort = cohort_size(places(nodes, config.data), federation.fraction_train)
    return with_central_privacy(aggregation.rule(), config, list(dict.fromkeys(names)), cohort)


def _start(examiner: Examiner, tensors: Mapping[str, Tensor]) -> Checkpoint:
    """The state before the first round, or, of a run that is resumed, after its last one.

    tensors: the untrained ones.
    """
    folder = examiner.folder
    resumed = folder.start(tensors)
    if resumed is not None:
        folder.event("resume", round=resumed.round)
        logger.info("resumed after round %d", resumed.round)
        return resumed
    examiner.record(0, examiner.evaluation.zero_shot(), ZERO_SHOT)
    folder.write_checkpoint(0, tensors, examiner.backbone.weights_hash)
    return Checkpoint(0, dict(tensors), ServerState())


def _train(
    grid: Grid,
    config: RunConfig,
    examiner: Examiner,
    exchange: Exchange,
    nodes: Sequence[Node],
    start: Checkpoint,
) -> None:
    """The rounds that are left; afterwards the examiner's prompting holds the last tensors."""
    folder, prompting = examiner.folder, exchange.prompting

    def after_round(round: int, tensors: Mapping[str, Tensor]) -> None:
        examiner.after_round(round, tensors, prompt_part(tensors, prompting), strategy.state())

    rule = _rule(config, exchange, nodes)
    kind = SecureStrategy if config.privacy.secure_aggregation else PromptStrategy
    strategy = kind(config, nodes, exchange, rule, folder, after_round)
    strategy.go_on_from(start)
    validated = folder.holds(start.round, f"validation-{examiner.evaluation.headline}")
    if start.round and config.evaluation.fraction_evaluate and not validated:
        strategy.evaluate_again(grid)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(start.tensors),
        num_rounds=examiner.rounds - start.round,
        timeout=config.federation.round_timeout,
    )
    prompting.load_prompt_tensors(prompt_part(strategy.tensors, prompting))


def _conclude(examiner: Examiner, multi_label: bool) -> None:
    """The last attacks, on all images, and the tables of the end."""
    folder, prompting = examiner.folder, examiner.prompting
    examiner.attack(examiner.rounds, prompting, last=True)
    examiner.attack(0, None, last=True)
    folder.write_classes(examiner.evaluation.by_class(prompting), multi_label)
    folder.write_metrics()
    backbone = examiner.backbone
    folder.write_environment(str(backbone.device), str(backbone.activation))
