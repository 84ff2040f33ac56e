"""The attacks of a suite: each completed run is attacked once, and its table is read again."""

from rich.console import Console

from fedmvp_core.config import RunConfig
from fedmvp_core.run_folder import ATTACKS, run_folder
from simulations.attack.plan import AttackPlan, plan_attack
from simulations.report.attacked_later import LaterRow, read_attacks
from simulations.runner.results import Accuracies
from simulations.suite.files import SuiteAttacks

_TUNED_ROBUST = 3  # its place in LaterRow.left


def attack_completed(console: Console, config: RunConfig, attacks: SuiteAttacks) -> None:
    """Attack a completed run as `fedmvp attack` does, unless its table is there.

    Raises:
        ConfigError, AttackError, CheckpointError: it cannot be attacked.
    """
    if not attacks.names or _rows(config, attacks):
        return
    from simulations.attack.report import report_attacks  # with torch

    report_attacks(console, run_folder(config.run), _plan(config, attacks))


def final_attacked(config: RunConfig, attacks: SuiteAttacks) -> dict[str, Accuracies]:
    """For each attack of the suite that was made: its label -> split -> (None, tuned)."""
    found: dict[str, Accuracies] = {}
    for row in _rows(config, attacks):
        label = f"{row.attack} eps={row.epsilon}"
        found.setdefault(label, {})[row.split] = (None, row.left[_TUNED_ROBUST])
    return found


def _plan(config: RunConfig, attacks: SuiteAttacks) -> AttackPlan:
    """The frozen model is not attacked: it is a run of the suite, where it is asked for."""
    asked = (attacks.names, attacks.epsilons, attacks.steps, attacks.images, ())
    return plan_attack(config, *asked, zero_shot=False, batch_size=256, device="auto")


def _rows(config: RunConfig, attacks: SuiteAttacks) -> list[LaterRow]:
    """The rows of a whole table; none if the attack was not made, or broken off."""
    if not attacks.names:
        return []
    plan = _plan(config, attacks)
    path = run_folder(config.run) / ATTACKS / f"{plan.file_stem()}.csv"
    rows = read_attacks(path) if path.is_file() else []
    made = {(row.attack, row.epsilon, row.split) for row in rows}
    splits = {row.split for row in rows}
    asked = {(name.short, name.epsilon) for name in plan.names}
    whole = all((*name, split) in made for name in asked for split in splits)
    return rows if rows and whole else []
