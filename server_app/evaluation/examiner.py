"""What the server does beside averaging: checkpoints, tests and attacks, each on disk at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, dataset_names
from fedmvp_core.data.settings.summaries import of_dataset
from fedmvp_core.data.shards import client_name
from fedmvp_core.json_logs import logger
from fedmvp_core.metrics.names import Measured, of_metric
from fedmvp_core.prompting import Prompting
from server_app.evaluation.clean import CentralEvaluation
from server_app.evaluation.robust import ZERO_SHOT, RobustEvaluation
from server_app.privacy import record_epsilon
from server_app.records.checkpoints import ServerState
from server_app.records.run_folder import RunFolder


@dataclass(frozen=True)
class Examiner:
    """What the rounds need on the server's side; rounds: 0 for a method that trains nothing."""

    config: RunConfig
    folder: RunFolder
    backbone: Backbone
    prompting: Prompting
    evaluation: CentralEvaluation
    robust: RobustEvaluation | None
    rounds: int

    def evaluate(self, round: int, tensors: Mapping[str, Tensor]) -> None:
        """Test prompt tensors, record what was measured."""
        self.prompting.load_prompt_tensors(tensors)
        measured = self.evaluation(self.prompting, last=round == self.config.federation.rounds)
        self.record(round, measured)
        metric = self.evaluation.headline
        shown = _shown(of_metric(measured, metric), self.config)
        self.folder.event("evaluation", round=round, metric=metric, accuracy=shown)
        logger.info("round %d: %s %s", round, metric, _rounded(shown))

    def record(self, round: int, measured: Measured, prefix: str = "") -> None:
        """One row for each split and metric, on disk at once."""
        for split, values in measured.items():
            for metric, value in values.items():
                self.folder.record(round, split, prefix + metric, value)
        self.folder.write_metrics()

    def after_round(
        self,
        round: int,
        tensors: Mapping[str, Tensor],
        prompts: Mapping[str, Tensor],
        state: ServerState,
    ) -> None:
        """Keep a checkpoint each round, before anything else can fail; then test.

        tensors: all that travel. prompts: the prompt tensors among them.
        """
        record_epsilon(self.folder, self.config, round)
        self.folder.write_checkpoint(round, tensors, self.backbone.weights_hash, state)
        self.test(round, prompts)

    def test(self, round: int, tensors: Mapping[str, Tensor]) -> None:
        """Test at first, every few rounds and after the last, unless an earlier process did."""
        last = round == self.config.federation.rounds
        due = last or round % self.config.evaluation.evaluate_every == 0
        if due and not self.folder.holds(round, self.evaluation.headline):
            self.evaluate(round, tensors)
        # The last attack, when the prompts are final, has its own number of images.
        every = self.config.evaluation.robust_every
        if round < self.rounds and (round == 0 or (every and round % every == 0)):
            self.prompting.load_prompt_tensors(tensors)
            self.attack(round, self.prompting, last=False)

    def attack(self, round: int, prompting: Prompting | None, last: bool) -> None:
        """Measure what the configured attack leaves; prompting None: of zero-shot CLIP.

        Not again what an earlier process measured.
        """
        prefix = "" if prompting is not None else ZERO_SHOT
        if self.robust is None or self.folder.holds(round, prefix + self.robust.headline):
            return
        measured = self.robust(prompting, round, last)
        self.record(round, measured)
        if prompting is not None:
            label = self.robust.headline
            shown = _shown(of_metric(measured, label), self.config)
            self.folder.event("robust-evaluation", round=round, attack=label, accuracy=shown)
            logger.info("round %d: %s %s", round, label, _rounded(shown))


def _shown(accuracies: Mapping[str, float], config: RunConfig) -> dict[str, float]:
    """Without the rows of single clients, and of single data sets among several."""
    clients, names = client_name(0)[:-3], dataset_names(config.data)
    of_one = {of_dataset(split, name) for name in names for split in accuracies}
    hidden = of_one if len(names) > 1 else set()
    return {
        name: value
        for name, value in accuracies.items()
        if name not in hidden and not name.startswith(clients)
    }


def _rounded(accuracies: Mapping[str, float]) -> dict[str, float]:
    """Four digits are enough for a log line."""
    return {name: round(value, 4) for name, value in accuracies.items()}
