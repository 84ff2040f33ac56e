"""The ServerApp: find the clients, run the rounds, test and keep the prompt tensors."""

from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.settings import load_setting
from fedmvp_core.data.shards import client_name
from fedmvp_core.devices import choose_device
from fedmvp_core.disk import cache_directory
from fedmvp_core.errors import FedMVPError
from fedmvp_core.methods import find_method
from fedmvp_core.metrics.names import Measured, of_metric
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import STRATEGIES, find
from server_app.central_evaluation import CentralEvaluation
from server_app.central_privacy import record_epsilon, with_central_privacy, within_budget
from server_app.federation import PromptFederation
from server_app.logs import follow_config, logger
from server_app.nodes import cohort_size, find_nodes
from server_app.prometheus import metrics_endpoint
from server_app.robust_evaluation import RobustEvaluation
from server_app.run_folder import RunFolder
from server_app.tested_shards import tested_shards

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federation; its folder says how it ended, whatever happens."""
    config = parse_config(context.run_config)
    follow_config(config)
    folder = RunFolder(config)
    logger.info("run folder: %s", folder.path)
    try:
        with metrics_endpoint(config) as folder.on_event:
            _run(grid, config, folder)
    except BaseException as error:
        sentence = (
            str(error) if isinstance(error, FedMVPError) else f"{type(error).__name__}: {error}"
        )
        folder.write_status("failed", sentence)
        folder.event("end", status="failed", error=sentence)
        raise
    folder.write_status("completed")
    folder.event("end", status="completed", error=None)


@dataclass(frozen=True)
class _Server:
    """What the rounds need on the server's side."""

    config: RunConfig
    folder: RunFolder
    backbone: Backbone
    prompting: Prompting
    evaluation: CentralEvaluation
    robust: RobustEvaluation | None

    def evaluate(self, round: int, tensors: Mapping[str, Tensor]) -> None:
        """Test prompt tensors, record what was measured."""
        self.prompting.load_prompt_tensors(tensors)
        measured = self.evaluation(self.prompting, last=round == self.config.rounds)
        self.record(round, measured)
        metric = self.evaluation.headline
        shown = _shown(of_metric(measured, metric))
        self.folder.event("evaluation", round=round, metric=metric, accuracy=shown)
        logger.info("round %d: %s %s", round, metric, _rounded(shown))

    def record(self, round: int, measured: Measured, prefix: str = "") -> None:
        """One row for each split and metric, on disk at once."""
        for split, values in measured.items():
            for metric, value in values.items():
                self.folder.record(round, split, prefix + metric, value)
        self.folder.write_metrics()

    def after_round(self, round: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep a checkpoint each round; test every few rounds and after the last."""
        self.folder.write_checkpoint(round, tensors, self.backbone.weights_hash)
        record_epsilon(self.folder, self.config, round)
        last = round == self.config.rounds
        if last or round % self.config.evaluate_every == 0:
            self.evaluate(round, tensors)
        # The last attack is on all images, when the prompts are final.
        if not last and self.config.robust_every and round % self.config.robust_every == 0:
            self.attack(round, self.prompting, every_image=False)

    def attack(self, round: int, prompting: Prompting | None, every_image: bool) -> None:
        """Measure what the configured attack leaves; prompting None: of zero-shot CLIP."""
        if self.robust is None:
            return
        measured = self.robust(prompting, round, every_image)
        self.record(round, measured)
        if prompting is not None:
            label = self.robust.headline
            shown = _shown(of_metric(measured, label))
            self.folder.event("robust-evaluation", round=round, attack=label, accuracy=shown)
            logger.info("round %d: %s %s", round, label, _rounded(shown))


def _shown(accuracies: Mapping[str, float]) -> dict[str, float]:
    """Without the rows of single clients."""
    clients = client_name(0)[:-3]
    return {name: value for name, value in accuracies.items() if not name.startswith(clients)}


def _rounded(accuracies: Mapping[str, float]) -> dict[str, float]:
    """Four digits are enough for a log line."""
    return {name: round(value, 4) for name, value in accuracies.items()}


def _run(grid: Grid, config: RunConfig, folder: RunFolder) -> None:
    backbone = load_backbone(
        config.backbone,
        config.pretrained or None,
        str(choose_device(config.device)),
        config.precision,
    )
    folder.write_environment(str(backbone.device))
    method = find_method(config)
    if method.objective is not None:
        config = within_budget(config)
    setting = load_setting(config, backbone.image_size)
    class_names = setting.train.class_names
    prompting = method.build_prompting(backbone, config, class_names)
    nodes = find_nodes(grid, config, class_names)
    folder.write_shards(nodes)
    cache = FeatureCache(cache_directory(config.cache_dir) / "features")
    shards = tested_shards(setting, nodes, config)
    central = CentralEvaluation(backbone, setting, shards, cache)
    attacked = config.robust_attack != "none"
    robust = RobustEvaluation(backbone, config, central) if attacked else None
    server = _Server(config, folder, backbone, prompting, central, robust)
    rounds = config.rounds if method.objective is not None else 0
    tensors = prompting.prompt_tensors()
    numbers = sum(tensor.numel() for tensor in tensors.values())
    folder.event("start", rounds=rounds, clients=len(nodes), prompt_numbers=numbers)
    server.record(0, server.evaluation.zero_shot(), "zero-shot-")
    folder.write_checkpoint(0, tensors, backbone.weights_hash)
    server.evaluate(0, tensors)
    if rounds:
        server.attack(0, prompting, every_image=False)
        federation = PromptFederation(
            config=config,
            nodes=nodes,
            prompting=prompting,
            class_names=class_names,
            aggregate=with_central_privacy(
                find(STRATEGIES, config.strategy)(config),
                config,
                prompting,
                cohort_size(len(nodes), config.fraction_train),
            ),
            folder=folder,
            after_round=server.after_round,
        )
        federation.start(
            grid=grid,
            initial_arrays=ArrayRecord(tensors),
            num_rounds=rounds,
            timeout=config.round_timeout,
        )
        prompting.load_prompt_tensors(federation.tensors)
    server.attack(rounds, prompting, every_image=True)
    server.attack(0, None, every_image=True)
    folder.write_classes(central.by_class(prompting), setting.train.multi_label)
    folder.write_metrics()
    folder.write_environment(str(backbone.device))
