"""Example predictions: a few test pictures, what zero-shot says and what the tuned model says."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulations.report.pictures import picture_uri

if TYPE_CHECKING:
    from simulations.saved_run import SavedRun

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
    labels = evaluation.images.labels[looked_at].cpu().numpy()
    kinds = kinds_of(plain.argmax(axis=1) == labels, tuned.argmax(axis=1) == labels)
    domains = [evaluation.images.domains[index] for index in looked_at]
    names = evaluation.task.class_names
    shown = tuple(
        Example(
            index=int(looked_at[chosen]),
            picture=picture_uri(images[chosen].cpu().numpy()),
            truth=names[labels[chosen]],
            domain=domains[chosen],
            name=evaluation.images.names[looked_at[chosen]],
            kind=kinds[chosen],
            zero_shot=top_guesses(plain[chosen], names, labels[chosen]),
            tuned=top_guesses(tuned[chosen], names, labels[chosen]),
        )
        for chosen in choose(kinds, domains, labels.tolist(), share)
    )
    return Examples(evaluation.name, len(looked_at), dict(Counter(kinds)), shown)


def kinds_of(plain_right: np.ndarray, tuned_right: np.ndarray) -> list[str]:
    """Which of the four kinds each picture is."""
    table = {(False, True): GAINED, (True, False): LOST, (True, True): RIGHT, (False, False): WRONG}
    return [table[bool(p), bool(t)] for p, t in zip(plain_right, tuned_right, strict=True)]


def choose(kinds: list[str], domains: list[str], labels: list[int], count: int) -> list[int]:
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
    probabilities: np.ndarray, names: tuple[str, ...], label: int, count: int = 3
) -> tuple[Guess, ...]:
    """The `count` most probable classes, the best first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return tuple(Guess(names[i], float(probabilities[i]), bool(i == label)) for i in order)
