"""Attacked test pictures: clean, perturbation, adversarial, and what each model says of them.

Each model is shown with the perturbation that was made against it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.attack.names import AttackName
from simulations.report.examples import (
    Guess,
    Truth,
    called,
    choose,
    highest_is_right,
    kinds_of,
    top_guesses,
    true_labels,
    truth_in_words,
)

if TYPE_CHECKING:
    from torch import Tensor

    from simulations.attack.run import Attacked, Target
    from simulations.runner.saved_run import SavedRun

SHOWN = 6
LOOKED_AT = 64  # pictures of a split that are classified to choose from
CANDIDATES = 3  # attacked for each one shown, so that every kind of outcome is found
# Pictures cost an attack of their own, so the report makes them with a fast one.
PICTURE_ATTACK, PICTURE_STEPS = "pgd", 10


@dataclass(frozen=True)
class AttackedView:
    """One model's side; pictures are uint8 (3, h, w), the perturbation enlarged around grey."""

    model: str
    clean: Guess
    attacked: Guess
    perturbation: np.ndarray
    adversarial: np.ndarray


@dataclass(frozen=True)
class AttackedExample:
    """One test picture, uint8 (3, h, w), and every model's side."""

    split: str
    truth: str
    called: str
    picture: np.ndarray
    views: tuple[AttackedView, ...]


def attacked_examples(saved: "SavedRun") -> tuple[AttackName, list[AttackedExample]] | None:
    """Examples of every central evaluation of a run that was attacked; None for other runs."""
    from simulations.attack.run import attack_target, make_target

    if saved.config.evaluation.robust_attack == "none":
        return None
    epsilon = saved.config.evaluation.robust_epsilon or saved.config.attack.epsilon
    name = AttackName(PICTURE_ATTACK, PICTURE_STEPS, epsilon)
    evaluations = [
        e for e in saved.setting.evaluations if len(e.images) and len(e.task.class_names) > 1
    ]
    share = max(SHOWN // max(len(evaluations), 1), 1)
    shown: list[AttackedExample] = []
    for evaluation in evaluations:
        target = make_target(saved, evaluation, LOOKED_AT, zero_shot=True)
        few = target.select(candidates(target, CANDIDATES * share))
        every = few.positions
        attacked = {model: attack_target(saved, few, model, name, every) for model in few.models}
        shown += examples_of(few, name, attacked, every, share)
    return (name, shown) if shown else None


def candidates(target: "Target", count: int) -> "Tensor":
    """(k,) positions of `count` images: those that most models tell right, of many classes."""
    import torch

    labels, domains = true_labels(target.images.labels), target.images.domains
    clean = [highest_is_right(found.numpy(), labels) for found in target.probabilities.values()]
    right = np.sum(clean, axis=0).tolist()
    seen_labels: Counter[Truth] = Counter()
    seen_domains: Counter[str] = Counter()
    left = set(range(len(labels)))
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = min(
            left,
            key=lambda i: (-right[i], seen_labels[labels[i]], seen_domains[domains[i]], i),
        )
        left.remove(best)
        chosen.append(best)
        seen_labels[labels[best]] += 1
        seen_domains[domains[best]] += 1
    return torch.tensor(chosen, dtype=torch.int64)


def examples_of(
    target: "Target",
    name: AttackName,
    attacked: "dict[str, Attacked]",
    kept: "Tensor",
    count: int,
) -> list[AttackedExample]:
    """`count` of the kept images (positions in the target), of as many outcomes as there are."""
    few = target.select(kept)
    labels = true_labels(few.images.labels)
    after = {model: found.probabilities[kept] for model, found in attacked.items()}
    robust = [highest_is_right(found.numpy(), labels) for found in after.values()]
    first, last = robust[0], robust[-1]
    chosen = choose(kinds_of(first, last), list(few.images.domains), labels, count)
    names = few.task.task.spoken_names
    examples = []
    for i in chosen:
        clean = few.images.images[i].numpy()
        views = tuple(
            AttackedView(
                model=model,
                clean=top_guesses(few.probabilities[model][i].numpy(), names, labels[i], 1)[0],
                attacked=top_guesses(after[model][i].numpy(), names, labels[i], 1)[0],
                perturbation=_enlarged(found.kept[i].numpy() - clean / 255, name.magnification),
                adversarial=np.round(255 * found.kept[i].numpy()).astype(np.uint8),
            )
            for model, found in attacked.items()
        )
        words = called(few.images.names[i], few.images.domains[i])
        truth = truth_in_words(labels[i], names)
        examples.append(AttackedExample(target.split, truth, words, clean, views))
    return examples


def _enlarged(perturbation: np.ndarray, magnification: float) -> np.ndarray:
    """(3, h, w) in pixel units -> uint8, grey where nothing was changed."""
    return np.round(255 * np.clip(0.5 + magnification * perturbation, 0, 1)).astype(np.uint8)
