"""Central evaluation under attack: what is left of every split, and its image-text alignment."""

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.evaluation import configured_attack, evaluate_under_attack
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import Measured, of_metric
from fedmvp_core.prompting import Prompting
from fedmvp_core.seeding import generator
from server_app.evaluation.clean import CentralEvaluation

ZERO_SHOT = "zero-shot-"
ROBUST, ATTACKED_IMAGES = "robust-", "attacked-images"
ALIGNMENT, ATTACKED_ALIGNMENT = "alignment", "attacked-alignment"
# Of what is measured of clean images, the part that is worth an attack.
LEFT = ("accuracy", "map", "cf1", "of1")


def attack_label(config: RunConfig) -> str:
    """What names the attack in a metric: "[pgd-10 eps=4/255]"."""
    asked = config.evaluation
    return f"[{asked.robust_attack}-{asked.robust_steps} eps={robust_radius(config)}]"


def robust_radius(config: RunConfig) -> str:
    """Epsilon of the evaluation, as it was written."""
    return config.evaluation.robust_epsilon or config.attack.epsilon


class RobustEvaluation:
    """Attacks the splits of the central evaluation, some images of each or all of them.

    headline: the metric that a split is known by under attack: "robust-accuracy[...]", with several
    labels an image "robust-map[...]".
    """

    def __init__(self, backbone: Backbone, config: RunConfig, central: CentralEvaluation) -> None:
        self._backbone, self._config, self._central = backbone, config, central
        self._label = attack_label(config)
        self._robust = ROBUST + central.headline
        self.headline = self._robust + self._label
        epsilon = parse_epsilon(robust_radius(config))
        self._attack = configured_attack(
            config.evaluation.robust_attack, epsilon, config.evaluation.robust_steps
        )

    def __call__(self, prompting: Prompting | None, round: int, every_image: bool) -> Measured:
        """What the attack leaves, and alignments, by split; prompting None: zero-shot CLIP.

        every_image: False: `robust-images` of each split, the same in every round.
        """
        central, limit = self._central, 0 if every_image else self._config.evaluation.robust_images
        own_limit = -(-limit // max(len(central.local), 1))  # the clients share one split's number
        results = {s.name: self._split(prompting, s, round, limit) for s in central.splits}
        results |= self._of_clients(prompting, round, own_limit)
        for name, value in central.with_summary(of_metric(results, self._robust)).items():
            results.setdefault(name, {})[self._robust] = value
        prefix = "" if prompting is not None else ZERO_SHOT
        return {
            split: {self._metric(metric, prefix): value for metric, value in metrics.items()}
            for split, metrics in results.items()
        }

    def _of_clients(
        self, prompting: Prompting | None, round: int, limit: int
    ) -> dict[str, dict[str, float]]:
        """Clients with the same classes share one attack on all images of these classes."""
        results: dict[str, dict[str, float]] = {}
        known: dict[tuple[str, ...], str] = {}  # classes -> the first client that has them
        for split in self._central.local:
            whole = limit == 0 or limit >= len(split.images)
            first = known.setdefault(split.task.class_names, split.name) if whole else ""
            if first in results:
                results[split.name] = dict(results[first])
            else:
                results[split.name] = self._split(prompting, split, round, limit)
        return results

    def _metric(self, metric: str, prefix: str) -> str:
        """Names say under which attack a number was found; "alignment" alone is the clean one."""
        attacked = metric.startswith(ROBUST) or metric == ATTACKED_ALIGNMENT
        return prefix + metric + (self._label if attacked else "")

    def _split(
        self, prompting: Prompting | None, split: Evaluation, round: int, limit: int
    ) -> dict[str, float]:
        rows = self._rows(split, limit)
        task = self._central.tasks[split.name]
        if len(task.task.class_names) == 1:  # there is no wrong class to aim at
            return {self._robust: 1.0, ATTACKED_IMAGES: len(rows)}
        labels = split.images.labels[rows]
        found = evaluate_under_attack(
            self._backbone,
            prompting,
            task,
            split.images.images[rows],
            labels,
            self._attack,
            generator(self._config.run.seed, f"robust evaluation of {split.name}", round),
        )
        left = measure(found.probabilities, labels)
        return {
            **{ROBUST + name: left[name] for name in LEFT if name in left},
            ALIGNMENT: found.alignment.double().nanmean().item(),
            ATTACKED_ALIGNMENT: found.attacked_alignment.double().nanmean().item(),
            ATTACKED_IMAGES: len(rows),
        }

    def _rows(self, split: Evaluation, limit: int) -> Tensor:
        """Positions of the attacked images: all, or `limit` of them drawn by seed."""
        count = len(split.images)
        if limit == 0 or limit >= count:
            return torch.arange(count)
        draw = generator(self._config.run.seed, f"attacked images of {split.name}")
        return torch.randperm(count, generator=draw)[:limit].sort().values
