"""Example predictions of the zero-shot and the tuned model on a few test pictures."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from simulations.report.pictures import picture_uri

if TYPE_CHECKING:
    from torch import Tensor

    from simulations.runner.saved_run import SavedRun

# Positions of the classes that are in a picture: one, or any number with several labels.
Truth: TypeAlias = tuple[int, ...]

LOOKED_AT = 240  # pictures of an evaluation that are classified to choose from
SHOWN = 12
GAINED, LOST, RIGHT, WRONG = "gained", "lost", "both right", "both wrong"
# The order in which kinds take turns, so that what tuning changed comes first.
TURNS = (GAINED, LOST, GAINED, WRONG, LOST, RIGHT)


@dataclass(frozen=True)
class Guess:
    """One class and its probability."""

    name: str
    probability: float
    right: bool


@dataclass(frozen=True)
class Example:
    """One test picture; `index` is its place in the evaluation's images."""

    index: int
    picture: str
    truth: str
    domain: str
    name: str
    kind: str
    zero_shot: tuple[Guess, ...]
    tuned: tuple[Guess, ...]

    @property
    def called(self) -> str:
        """What to call it."""
        return called(self.name, self.domain)


def called(name: str, domain: str) -> str:
    """A picture's name, and its domain unless the name tells it already."""
    told = not domain or domain in name
    return name if told else f"{name} · {domain}"


@dataclass(frozen=True)
class Examples:
    """The pictures chosen from one evaluation, and how common each kind is among `looked_at`."""

    evaluation: str
    looked_at: int
    counts: dict[str, int]
    shown: tuple[Example, ...]


def predict_examples(saved: "SavedRun") -> list[Examples]:
    """Examples of every central evaluation of a saved run."""
    evaluations = [one for one in saved.setting.evaluations if len(one.images)]
    share = max(SHOWN // max(len(evaluations), 1), 1)
    return [_from_evaluation(saved, evaluation, share) for evaluation in evaluations]


def _from_evaluation(saved: "SavedRun", evaluation: Any, share: int) -> Examples:
    from fedmvp_core.evaluation import predict_probabilities
    from fedmvp_core.tasks import encode_task

    every = len(evaluation.images)
    looked_at = np.unique(np.linspace(0, every - 1, min(every, LOOKED_AT)).round().astype(int))
    images = evaluation.images.images[looked_at]
    encoded = encode_task(saved.backbone, evaluation.task, saved.cache)
    plain, tuned = (
        predict_probabilities(saved.backbone, prompting, encoded, images).cpu().numpy()
        for prompting in (None, saved.prompting)
    )
    truths = true_labels(evaluation.images.labels[looked_at])
    kinds = kinds_of(*(highest_is_right(found, truths) for found in (plain, tuned)))
    domains = [evaluation.images.domains[index] for index in looked_at]
    names = evaluation.task.spoken_names
    shown = tuple(
        Example(
            index=int(looked_at[chosen]),
            picture=picture_uri(images[chosen].cpu().numpy()),
            truth=truth_in_words(truths[chosen], names),
            domain=domains[chosen],
            name=evaluation.images.names[looked_at[chosen]],
            kind=kinds[chosen],
            zero_shot=top_guesses(plain[chosen], names, truths[chosen]),
            tuned=top_guesses(tuned[chosen], names, truths[chosen]),
        )
        for chosen in choose(kinds, domains, truths, share)
    )
    return Examples(evaluation.name, len(looked_at), dict(Counter(kinds)), shown)


def true_labels(labels: "Tensor") -> list[Truth]:
    """The positions of each picture's classes; labels: (n,), or (n, classes) of 1, 0 and -1."""
    if labels.ndim == 1:
        return [(label,) for label in labels.tolist()]
    return [tuple(row.nonzero().flatten().tolist()) for row in labels == 1]


def highest_is_right(probabilities: np.ndarray, truths: list[Truth]) -> np.ndarray:
    """(n,) bool: is the most probable class in the picture? probabilities: (n, classes)."""
    pairs = zip(probabilities.argmax(axis=1), truths, strict=True)
    return np.array([bool(int(best) in truth) for best, truth in pairs], dtype=bool)


def truth_in_words(truth: Truth, names: tuple[str, ...]) -> str:
    """`road vehicle, fruit`, or `none of them`."""
    return ", ".join(names[label] for label in truth) or "none of them"


def kinds_of(plain_right: np.ndarray, tuned_right: np.ndarray) -> list[str]:
    """Which of the four kinds each picture is."""
    table = {(False, True): GAINED, (True, False): LOST, (True, True): RIGHT, (False, False): WRONG}
    return [table[bool(p), bool(t)] for p, t in zip(plain_right, tuned_right, strict=True)]


def choose(
    kinds: list[str], domains: list[str], labels: Sequence[Hashable], count: int
) -> list[int]:
    """`count` positions: kinds take turns, and classes and domains not shown yet go first."""
    left = list(range(len(kinds)))
    chosen: list[int] = []
    turn = 0
    while left and len(chosen) < count:
        wanted = TURNS[turn % len(TURNS)]
        turn += 1
        pool = [i for i in left if kinds[i] == wanted]
        if not pool:
            continue
        seen_domains = Counter(domains[i] for i in chosen)
        seen_labels = Counter(labels[i] for i in chosen)
        best = min(pool, key=lambda i: (seen_labels[labels[i]], seen_domains[domains[i]], i))
        chosen.append(best)
        left.remove(best)
    return chosen


def top_guesses(
    probabilities: np.ndarray, names: tuple[str, ...], truth: Truth, count: int = 3
) -> tuple[Guess, ...]:
    """The `count` most probable classes, the best first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return tuple(Guess(names[i], float(probabilities[i]), int(i) in truth) for i in order)
