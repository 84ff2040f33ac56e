"""What `fedmvp attack`, `alarm` and `corrupt` were asked, checked before a model is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedmvp_core.config import RunConfig, did_you_mean
from fedmvp_core.config.epsilon import parse_epsilon
from fedmvp_core.errors import ConfigError, FedMVPError
from fedmvp_core.registry import ATTACKS, names_in
from simulations.attack.names import AttackName

if TYPE_CHECKING:
    from fedmvp_core.adversarial.masking_probe import Budget

DEVICES = ("auto", "cpu", "cuda")
NO_DEFENCE = "none"
TYPOGRAPHIC = "typographic"  # an attack on a model that reads; made only when it is asked for
SQUARE_QUERIES = 1000  # unless asked otherwise: a handful of queries would find nothing
FEWER = 5  # times fewer steps, to see what more of them do


@dataclass(frozen=True)
class AttackPlan:
    """What to attack, and how; images 0: all. splits: none: all of the setting's.

    names: every attack with every radius, through every defence.
    draws: passes that an attack averages wherever it looks, for a model with randomness.
    """

    names: tuple[AttackName, ...]
    splits: tuple[str, ...]
    images: int
    zero_shot: bool
    batch_size: int
    device: str
    draws: int = 1

    def file_stem(self, names: Sequence[AttackName] = ()) -> str:
        """The stem of the file names of some attacks (none: all); other plans have other stems."""
        every = names or self.names
        attacks = "+".join(dict.fromkeys(name.short for name in every))
        radii = "+".join(dict.fromkeys(name.epsilon.replace("/", "-") for name in every))
        attacks = attacks.replace(" through ", "-")
        splits = "".join(f"-{split}" for split in self.splits)
        images = f"-{self.images}-images" if self.images else ""
        draws = f"-{self.draws}-draws" if self.draws > 1 else ""
        return f"{attacks}-eps{radii}{splits}{images}{draws}".replace(" ", "")


def plan_attack(
    config: RunConfig,
    attacks: Sequence[str],
    epsilons: Sequence[str],
    steps: int | None,
    images: int,
    splits: Sequence[str],
    zero_shot: bool,
    batch_size: int,
    device: str,
    draws: int = 1,
    defences: Sequence[str] = (),
) -> AttackPlan:
    """Check what was asked for; the rest is as in the run's own evaluation.

    attacks, epsilons, splits, defences: words, each one name or several with commas.

    Raises:
        ConfigError: an attack or a defence is unknown or not installed, or a number is out of
            range.
    """
    ours = "pgd" if config.evaluation.robust_attack == "none" else config.evaluation.robust_attack
    radius = config.evaluation.robust_epsilon or config.attack.epsilon
    _check_device(device)
    names = []
    for attack in _words(attacks) or [ours]:
        _check_attack(attack)
        own_steps = SQUARE_QUERIES if attack == "square" else config.evaluation.robust_steps
        budget = own_steps if steps is None else steps
        for epsilon in _words(epsilons) or [radius]:
            parse_epsilon(epsilon)
            names += [AttackName(attack, budget, epsilon, d) for d in _defences(defences)]
    chosen = tuple(_words(splits))
    return AttackPlan(tuple(names), chosen, images, zero_shot, batch_size, device, draws)


@dataclass(frozen=True)
class AlarmPlan:
    """What `fedmvp alarm` looks at: `images` of each split (0: all), and the budget.

    epsilon: the budget's, as it was written.
    """

    budget: "Budget"
    epsilon: str
    splits: tuple[str, ...]
    images: int
    zero_shot: bool
    device: str


def plan_alarm(
    config: RunConfig,
    epsilon: str | None,
    spent: "tuple[int, int, int, int]",
    images: int,
    splits: Sequence[str],
    zero_shot: bool,
    device: str,
) -> AlarmPlan:
    """Check what was asked for.

    epsilon: None: the run's. spent: steps, queries, draws, batch size of the budget.

    Raises:
        ConfigError: epsilon is not a number above 0, or the device is unknown.
    """
    _check_device(device)
    written = epsilon or config.evaluation.robust_epsilon or config.attack.epsilon
    radius = parse_epsilon(written)
    if radius == 0:
        raise ConfigError(f"epsilon is '{written}'; allowed here: a number above 0, to 1")
    from fedmvp_core.adversarial.masking_probe import Budget  # with torch

    steps, queries, draws, batch_size = spent
    few = max(steps // FEWER, 1)
    budget = Budget(radius, steps, few, queries, draws, batch_size, config.run.seed)
    return AlarmPlan(budget, written, tuple(_words(splits)), images, zero_shot, device)


@dataclass(frozen=True)
class CorruptPlan:
    """What `fedmvp corrupt` looks at: `images` of each split, drawn by seed; 0: all."""

    corruptions: tuple[str, ...]
    splits: tuple[str, ...]
    images: int
    zero_shot: bool
    device: str


def plan_corruptions(
    corruptions: Sequence[str], images: int, splits: Sequence[str], zero_shot: bool, device: str
) -> CorruptPlan:
    """Check what was asked for. No corruption: all of them.

    Raises:
        ConfigError: a corruption or the device is unknown.
    """
    from fedmvp_core.data.corruptions import CORRUPTIONS  # with torch

    _check_device(device)
    names = tuple(_words(corruptions)) or CORRUPTIONS
    for name in names:
        if name not in (*CORRUPTIONS, TYPOGRAPHIC):
            known = [*CORRUPTIONS, TYPOGRAPHIC]
            raise ConfigError(f"corruption is '{name}'{did_you_mean(name, known)}")
    return CorruptPlan(names, tuple(_words(splits)), images, zero_shot, device)


def _check_device(device: str) -> None:
    if device not in DEVICES:
        raise ConfigError(f"device is '{device}'; allowed: {', '.join(DEVICES)}")


def _defences(given: Sequence[str]) -> list[str]:
    """Names of defences, "" for none."""
    if not _words(given):
        return [""]
    from fedmvp_core.defences import find_defence  # with torch

    names = ["" if name == NO_DEFENCE else name for name in _words(given)]
    try:
        for name in filter(None, names):
            find_defence(name)
    except FedMVPError as error:
        raise ConfigError(str(error)) from None
    return names


def _words(given: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(w.strip() for word in given for w in word.split(",") if w.strip()))


def _check_attack(name: str) -> None:
    if name not in names_in(ATTACKS):
        raise ConfigError(f"attack is '{name}'{did_you_mean(name, list(names_in(ATTACKS)))}")
    from fedmvp_core.adversarial.attacks import evaluation_attack  # with torch
    from server_app.start_checks import check_attack_package

    try:
        evaluation_attack(name)
    except FedMVPError as error:
        raise ConfigError(str(error)) from None
    # Refused now: other attacks may run for hours before this one.
    check_attack_package(name, "attack")
