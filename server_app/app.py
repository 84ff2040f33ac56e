"""The ServerApp: find the clients, run the rounds, test and keep the prompt tensors."""

import errno
from contextlib import suppress

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from fedmvp_core.backbone import FeatureCache, load_backbone
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.settings import load_setting
from fedmvp_core.devices import choose_device
from fedmvp_core.disk import cache_directory
from fedmvp_core.errors import FedMVPError, StorageError
from fedmvp_core.json_logs import follow_config, logger
from fedmvp_core.methods import check_attackable, find_method
from fedmvp_core.registry import STRATEGIES, find
from server_app.callbacks.prometheus import metrics_endpoint
from server_app.cohort.nodes import cohort_size, find_nodes, places
from server_app.evaluation.clean import CentralEvaluation
from server_app.evaluation.examiner import Examiner
from server_app.evaluation.robust import ZERO_SHOT, RobustEvaluation
from server_app.evaluation.shards import tested_shards
from server_app.privacy import with_central_privacy, within_budget
from server_app.records.checkpoints import Checkpoint, ServerState
from server_app.records.run_folder import RunFolder
from server_app.strategy import PromptStrategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federation; its folder says how it ended, whatever happens."""
    config = parse_config(context.run_config)
    follow_config(config.run)
    folder = RunFolder(config)
    logger.info("run folder: %s", folder.path)
    try:
        with metrics_endpoint(config) as folder.on_event:
            _run(grid, config, folder)
        folder.end("completed")
    except BaseException as error:
        known = _known(error, folder)
        sentence = (
            str(known) if isinstance(known, FedMVPError) else f"{type(known).__name__}: {known}"
        )
        with suppress(OSError):  # of a full disk, which the log tells of
            folder.end("failed", sentence)
        if known is error:
            raise
        raise known from error


def _known(error: BaseException, folder: RunFolder) -> BaseException:
    """An error that a user can mend in place of the system's, if there is one."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no space is left for the run folder '{folder.path}' ({error.strerror}); its "
            f"checkpoint of round {folder.rounds_completed} is whole: free some space, and go on "
            "with resume=latest"
        )
    return error


def _start(server: Examiner, tensors: dict[str, Tensor]) -> Checkpoint:
    """The state before the first round, or, of a run that is resumed, after its last one.

    tensors: the untrained ones.
    """
    folder = server.folder
    resumed = folder.start(tensors)
    if resumed is not None:
        folder.event("resume", round=resumed.round)
        logger.info("resumed after round %d", resumed.round)
        return resumed
    server.record(0, server.evaluation.zero_shot(), ZERO_SHOT)
    folder.write_checkpoint(0, tensors, server.backbone.weights_hash)
    return Checkpoint(0, tensors, ServerState())


def _run(grid: Grid, config: RunConfig, folder: RunFolder) -> None:
    # `precision` is the clients': what is reported is measured in float32, attacks above all.
    device = str(choose_device(config.model.device))
    backbone = load_backbone(config.model.backbone, config.model.pretrained or None, device)
    folder.write_environment(str(backbone.device))
    method = find_method(config)
    if method.objective is not None:
        config = within_budget(config)
    setting = load_setting(config, backbone.image_size)
    class_names = setting.train.class_names
    prompting = method.build_prompting(backbone, config, class_names)
    nodes = find_nodes(grid, config, class_names)
    folder.write_shards(nodes)
    cache = FeatureCache(cache_directory(config.run.cache_dir) / "features")
    shards = tested_shards(setting, nodes, config)
    check_attackable(method, shards, config)
    central = CentralEvaluation(backbone, setting, shards, cache)
    attacked = config.evaluation.robust_attack != "none"
    robust = RobustEvaluation(backbone, config, central) if attacked else None
    rounds = config.federation.rounds if method.objective is not None else 0
    server = Examiner(config, folder, backbone, prompting, central, robust, rounds)
    tensors = prompting.prompt_tensors()
    numbers = sum(tensor.numel() for tensor in tensors.values())
    folder.event("start", rounds=rounds, clients=len(nodes), prompt_numbers=numbers)
    start = _start(server, tensors)
    server.test(start.round, start.tensors)
    if rounds:
        federation = PromptStrategy(
            config=config,
            nodes=nodes,
            prompting=prompting,
            class_names=class_names,
            aggregate=with_central_privacy(
                find(STRATEGIES, config.federation.strategy)(config),
                config,
                prompting,
                cohort_size(places(nodes, config), config.federation.fraction_train),
            ),
            folder=folder,
            after_round=lambda round, after: server.after_round(round, after, federation.state()),
        )
        federation.go_on_from(start)
        validated = folder.holds(start.round, f"validation-{central.headline}")
        if start.round and config.evaluation.fraction_evaluate and not validated:
            federation.evaluate_again(grid)
        federation.start(
            grid=grid,
            initial_arrays=ArrayRecord(start.tensors),
            num_rounds=rounds - start.round,
            timeout=config.federation.round_timeout,
        )
        prompting.load_prompt_tensors(federation.tensors)
    server.attack(rounds, prompting, every_image=True)
    server.attack(0, None, every_image=True)
    folder.write_classes(central.by_class(prompting), setting.train.multi_label)
    folder.write_metrics()
    folder.write_environment(str(backbone.device))
