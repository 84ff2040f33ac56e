"""Central evaluation under attack: what is left of every split, and its image-text alignment."""

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.backbone.hashing import hash_tensors
from fedmvp_core.code_version import source_hash
from fedmvp_core.config import RunConfig
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.evaluation import configured_attack, evaluate_under_attack
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import Measured, of_metric
from fedmvp_core.prompting import Prompting
from fedmvp_core.seeding import generator
from server_app.evaluation.clean import Asked, CentralEvaluation, asked, with_summary

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

    def __call__(self, prompting: Prompting | None, round: int, last: bool) -> Measured:
        """What the attack leaves, and alignments, by split; prompting None: zero-shot CLIP.

        last: `robust-last-images` of each split instead of `robust-images`; 0 is every one. A
        client that holds all of a split has the split's numbers.
        """
        central, asked_for = self._central, self._config.evaluation
        limit = asked_for.robust_last_images if last else asked_for.robust_images
        own_limit = -(-limit // max(len(central.local), 1))  # the clients share one split's number
        results: dict[str, dict[str, float]] = {}
        known: dict[Asked, dict[str, float]] = {}
        for splits, most in ((central.splits, limit), (central.local, own_limit)):
            for split in splits:
                found = known.get(asked(split)) or self._split(prompting, split, round, most)
                results[split.name] = dict(found)
                # A few images of a client are too few to stand for other clients too.
                if most == limit or most >= len(split.images):
                    known[asked(split)] = found
        left = of_metric(results, self._robust)
        for name, value in with_summary(central.summary, central.local, left).items():
            results.setdefault(name, {})[self._robust] = value
        prefix = "" if prompting is not None else ZERO_SHOT
        return {
            split: {self._metric(metric, prefix): value for metric, value in metrics.items()}
            for split, metrics in results.items()
        }

    def _metric(self, metric: str, prefix: str) -> str:
        """Names say under which attack a number was found; "alignment" alone is the clean one."""
        attacked = metric.startswith(ROBUST) or metric == ATTACKED_ALIGNMENT
        return prefix + metric + (self._label if attacked else "")

    def _split(
        self, prompting: Prompting | None, split: Evaluation, round: int, limit: int
    ) -> dict[str, float]:
        rows = attacked_rows(len(split.images), limit, self._config.run.seed, split.name)
        task = self._central.tasks[split.name]
        if len(task.task.class_names) == 1:  # there is no wrong class to aim at
            return {self._robust: 1.0, ATTACKED_IMAGES: len(rows)}
        labels = split.images.labels[rows]
        table = self._attacked(prompting, split, rows, round)
        left = measure(table[:, :-2], labels)
        return {
            **{ROBUST + name: left[name] for name in LEFT if name in left},
            ALIGNMENT: table[:, -2].double().nanmean().item(),
            ATTACKED_ALIGNMENT: table[:, -1].double().nanmean().item(),
            ATTACKED_IMAGES: len(rows),
        }

    def _attacked(
        self, prompting: Prompting | None, split: Evaluation, rows: Tensor, round: int
    ) -> Tensor:
        """(rows, classes + 2): attacked probabilities, then the clean and the attacked alignment.

        The frozen model's are kept in the cache folder: every run of a suite asks for the same.
        """
        task, seed = self._central.tasks[split.name], self._config.run.seed
        images, labels = split.images.images[rows], split.images.labels[rows]
        draw = f"robust evaluation of {split.name}", round

        def compute() -> Tensor:
            found = evaluate_under_attack(
                self._backbone,
                prompting,
                task,
                images,
                labels,
                self._attack,
                generator(seed, *draw),
            )
            aligned = torch.stack([found.alignment, found.attacked_alignment], dim=1)
            return torch.cat([found.probabilities, aligned], dim=1)

        if prompting is not None:
            return compute()
        who = f"{self._backbone.weights_hash} {self._backbone.device} {source_hash()}"
        key = hash_tensors(
            f"attacked {who} {self._label} {seed} {draw} {task.task}",
            [("images", images), ("labels", labels)],
        )
        return self._central.cache.get_or_compute(key, compute)


def attacked_rows(count: int, limit: int, seed: int, split: str) -> Tensor:
    """Positions of the attacked images: all, or `limit` of them drawn by seed."""
    if limit == 0 or limit >= count:
        return torch.arange(count)
    draw = generator(seed, f"attacked images of {split}")
    return torch.randperm(count, generator=draw)[:limit].sort().values
