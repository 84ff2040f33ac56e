"""Which federations a stress test runs: each defence, without liars and under each attack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path

from fedmvp_core.config import STRESS_ATTACKS, Scalar
from fedmvp_core.config.options import options_type
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import AGGREGATIONS, find
from simulations.runner.named_runs import NamedRun
from simulations.runner.overrides import merged
from simulations.runner.planning import Plan, plan_run, small_engine

NO_LIARS, UNPROTECTED = "none", "fedavg"
ATTACKS = tuple(attack for attack in STRESS_ATTACKS if attack != NO_LIARS)
# Each defence alone. `fedavg` is as Flower would have it, except that no NaN is ever averaged.
_ALONE: Mapping[str, Scalar] = {"max-update-norm": 0.0}
DEFENCES: Mapping[str, Mapping[str, Scalar]] = {
    "fedavg": {"aggregation": "fedavg", **_ALONE},
    "fedavg, checked": {"aggregation": "fedavg", "max-update-norm": 5.0},
    **{
        name: {"aggregation": name, **_ALONE}
        for name in (
            *("fedmedian", "fedtrimmedavg", "krum", "multikrum", "bulyan", "geometric-median"),
            *("dnc", "clipped-noise", "flanders"),
        )
    },
}
# Clients whose data is alike, so that who differs from the others lies; and learned words, which
# begin at random, so that tuning moves the accuracy further than chance does.
CONFIG: Mapping[str, Scalar] = {
    "method": "apt",
    "dataset": "emojidomains",
    "pretrained": "embedded",
    "setting": "few-shot",
    "partition": "iid",
    "learning-rate": 1.0,
    "epsilon": "1/2550",
    "attack-steps": 1,
    "robust-attack": "none",
}


def _told(defence: Mapping[str, Scalar], fraction: float) -> dict[str, Scalar]:
    """The share of liars, for a defence that can be told."""
    declared = options_type(find(AGGREGATIONS, str(defence["aggregation"])))
    told = "malicious_share" in {field.name for field in fields(declared)}
    return {"aggregation.malicious-share": fraction} if told else {}


@dataclass(frozen=True)
class StressRun:
    """One federation of the test; attack "none": without liars."""

    defence: str
    attack: str
    plan: Plan


def plan_stress(
    attacks: Sequence[str],
    defences: Sequence[str],
    overrides: Mapping[str, Scalar],
    fraction: float,
    supernodes: int,
    rounds: int,
    output_dir: Path,
    clients_at_once: int | None = None,
    seeds: Sequence[int] = (),
    engine: str = "",
) -> list[StressRun]:
    """Every federation, by each seed; what the defences cost without liars is run last.

    seeds: none: the one of the overrides. engine: "": inline, unless clients are to train side by
    side.

    The robust strategies are told the share of liars that there is. All federations are checked
    before the first starts.

    Raises:
        ConfigError: an attack, a defence or a key is unknown or out of range, or there are too few
            clients for a defence.
    """
    for kind, asked, known in (("attack", attacks, ATTACKS), ("defence", defences, DEFENCES)):
        for name in asked:
            if name not in known:
                raise ConfigError(f"{kind} is '{name}'; allowed: {'; '.join(known)}")

    engine = engine or small_engine(clients_at_once, None)
    runs = []
    every = product(
        (NO_LIARS, *dict.fromkeys(attacks)), dict.fromkeys(defences or DEFENCES), seeds or (None,)
    )
    for attack, defence, seed in every:
        name = f"stress-{attack}-{defence.replace(', ', '-')}"
        chosen: dict[str, Scalar] = {
            **CONFIG,
            **DEFENCES[defence],
            **_told(DEFENCES[defence], fraction),
            "rounds": rounds,
            "evaluate-every": max(1, rounds),
        }
        fixed: dict[str, Scalar] = {
            **({} if seed is None else {"seed": seed}),
            "stress-attack": attack,
            "stress-fraction": fraction,
            "run-name": name if seed is None else f"{name}-seed{seed}",
            "output-dir": str(output_dir),
        }
        named = NamedRun("stress", "", supernodes, chosen)
        own = merged(overrides, fixed)
        plan = plan_run(named, own, None, clients_at_once, None, engine)
        runs.append(StressRun(defence, attack, plan))
    return sorted(runs, key=lambda run: run.attack == NO_LIARS and run.defence != UNPROTECTED)
