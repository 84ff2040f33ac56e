"""Attack a finished run again, with other attacks, radii or numbers of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fedmvp_core.adversarial.inputs import averaged_logits
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation
from fedmvp_core.defences import find_defence
from fedmvp_core.errors import AttackError, ConfigError
from fedmvp_core.evaluation import (
    EVALUATION_BATCH,
    ConfiguredAttack,
    Guard,
    configured_attack,
    evaluate_under_attack,
    predict_probabilities,
)
from fedmvp_core.metrics.measures import measure
from fedmvp_core.metrics.names import headline
from fedmvp_core.prompting import Prompting
from fedmvp_core.seeding import generator
from fedmvp_core.tasks import EncodedTask, encode_task
from server_app.evaluation.robust import attacked_rows
from simulations.attack.names import AttackName
from simulations.runner.saved_run import SavedRun

ZERO_SHOT, TUNED = "zero-shot", "tuned"
# Called as an attack goes on: (images that went through the model, images attacked to the end).
OnWork = Callable[[int, int], None]


@dataclass(frozen=True)
class Target:
    """Images of a split to attack, and what the models say of them before.

    models: by "zero-shot" and "tuned", the prompting (None: the frozen model). probabilities: by
    the same names, (n, classes) on the clean images.
    """

    split: str
    images: ImageSet
    task: EncodedTask
    models: dict[str, Prompting | None]
    probabilities: dict[str, Tensor]

    @property
    def positions(self) -> Tensor:
        """(n,) int64: of all images."""
        return torch.arange(len(self.images))

    def select(self, rows: Tensor) -> "Target":
        """Only the images at rows ((k,) int64), in that order."""
        return replace(
            self,
            images=self.images.select(rows),
            probabilities={model: p[rows] for model, p in self.probabilities.items()},
        )


@dataclass(frozen=True)
class Attacked:
    """robust: (n,) bool, still right. probabilities: (n, classes), of all adversarial images.

    kept: (k, 3, size, size), those adversarial images that were asked for.
    """

    robust: Tensor
    probabilities: Tensor
    kept: Tensor


def chosen_evaluations(saved: SavedRun, splits: Sequence[str]) -> list[Evaluation]:
    """The setting's evaluations of these names, in the order asked for; no name: all of them.

    Raises:
        ConfigError: the setting has no such split.
    """
    known = {evaluation.name: evaluation for evaluation in saved.setting.evaluations}
    for name in splits:
        if name not in known:
            raise ConfigError(
                f"split is '{name}'; allowed with setting '{saved.config.data.setting}': "
                f"{', '.join(known)}"
            )
    return [known[name] for name in dict.fromkeys(splits or known)]


def make_target(
    saved: SavedRun, evaluation: Evaluation, limit: int, zero_shot: bool, defence: str = ""
) -> Target:
    """`limit` images of a split (0: all), those that the run itself attacked between rounds.

    defence: that the models stand behind.
    """
    models: dict[str, Prompting | None] = {ZERO_SHOT: None} if zero_shot else {}
    models[TUNED] = saved.prompting
    rows = attacked_rows(len(evaluation.images), limit, saved.config.run.seed, evaluation.name)
    images = evaluation.images.select(rows)
    task = encode_task(saved.backbone, evaluation.task, saved.cache)
    probabilities = {
        name: predict_probabilities(
            saved.backbone, prompting, task, images.images, _guard(saved, defence, evaluation.name)
        )
        for name, prompting in models.items()
    }
    return Target(evaluation.name, images, task, models, probabilities)


def attack_target(
    saved: SavedRun,
    target: Target,
    model: str,
    name: AttackName,
    kept: Tensor,
    batch_size: int = EVALUATION_BATCH,
    on_work: OnWork = lambda through, finished: None,
    passes: int = 1,
) -> Attacked:
    """Attack one model on all images of a target, with the draws that the run itself made.

    kept: (k,), positions whose adversarial images are returned; all others are forgotten batch by
    batch. passes: whose logits the attack averages, for a model with randomness.

    Raises:
        AttackError: the attack cannot work on this task, or the device has too little memory.
    """
    labels = target.images.labels
    if len(target.task.task.class_names) == 1:  # there is no wrong class to aim at
        clean = target.images.images[kept].float() / 255
        robust = torch.ones(len(labels), dtype=torch.bool)
        return Attacked(robust, target.probabilities[model], clean)
    attack = configured_attack(name.attack, parse_epsilon(name.epsilon), name.steps)
    round = 0 if target.models[model] is None else saved.round
    draws = generator(saved.config.run.seed, f"robust evaluation of {target.split}", round)
    guard = _guard(saved, name.defence, target.split)
    parts = []
    for rows in target.positions.split(batch_size):
        images = target.images.images[rows]
        try:
            left = evaluate_under_attack(
                saved.backbone,
                target.models[model],
                target.task,
                images,
                labels[rows],
                _counted(attack, on_work, passes),
                draws,
                keep_adversarial=True,
                guard=guard,
            )
        except torch.OutOfMemoryError:
            raise AttackError(
                f"{saved.backbone.device} has too little memory to attack {len(rows)} images at "
                "once; a smaller batch-size helps"
            ) from None
        on_work(0, len(rows))
        found = left.adversarial[torch.isin(rows, kept)]
        parts.append((left.robust, left.probabilities, found))
    # Batches come in order of position, `kept` in any order.
    places = kept.argsort().argsort()
    robust, probabilities, found = (torch.cat(column) for column in zip(*parts, strict=True))
    return Attacked(robust, probabilities, found[places])


def _guard(saved: SavedRun, defence: str, split: str) -> Guard | None:
    """A defence with draws of its own, for the next pass over a split."""
    if not defence:
        return None
    defend = find_defence(defence)
    draws = generator(saved.config.run.seed, f"{defence} before {split}")
    return lambda features_of, task: defend(saved.backbone, features_of, task, draws)


def _counted(attack: ConfiguredAttack, on_work: OnWork, passes: int) -> ConfiguredAttack:
    """The attack on mean logits; it calls `on_work` before each forward pass."""

    def counted(
        logits_of: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        draws: torch.Generator,
    ) -> Tensor:
        def seen(pixels: Tensor) -> Tensor:
            on_work(len(pixels), 0)
            return logits_of(pixels)

        return attack(averaged_logits(seen, passes), images, labels, draws)

    return counted


@dataclass(frozen=True)
class AttackRow:
    """What one attack left of one split: by "zero-shot" and "tuned", accuracies or mAPs."""

    split: str
    attack: AttackName
    images: int
    clean: dict[str, float]
    robust: dict[str, float]


def attack_row(target: Target, name: AttackName, attacked: dict[str, Attacked]) -> AttackRow:
    """The headline of the attacked models, clean and attacked."""
    labels, metric = target.images.labels, headline(target.images.multi_label)
    return AttackRow(
        split=target.split,
        attack=name,
        images=len(target.images),
        clean={m: measure(target.probabilities[m], labels)[metric] for m in attacked},
        robust={m: measure(a.probabilities, labels)[metric] for m, a in attacked.items()},
    )
