"""The attacks of a suite, and its alarm: made once on each completed run, and read again."""

from collections.abc import Iterable, Iterator

from rich.console import Console

from fedmvp_core.config import RunConfig
from fedmvp_core.run_folder import ATTACKS, run_folder
from simulations.attack.plan import AlarmPlan, AttackPlan, plan_alarm, plan_attack
from simulations.report.attacked_later import ALARM, LaterRow, alarm_sentence, read_attacks
from simulations.runner.results import Accuracies
from simulations.suite.files import SuiteAttacks

_TUNED_ROBUST = 3  # its place in LaterRow.left
_QUERIES = 500  # of Square, as the alarm asks it


def attack_completed(console: Console, config: RunConfig, attacks: SuiteAttacks) -> None:
    """Attack a completed run as `fedmvp attack` and `alarm` do, unless their tables are there.

    Raises:
        ConfigError, AttackError, CheckpointError: it cannot be attacked.
    """
    folder = run_folder(config.run)
    if attacks.names and not _rows(config, attacks):
        from simulations.attack.report import report_attacks  # with torch

        report_attacks(console, folder, _plan(config, attacks))
    if attacks.alarm and not (folder / ATTACKS / ALARM).is_file():
        from simulations.attack.alarm import report_alarm  # with torch

        report_alarm(console, folder, _alarm_plan(config, attacks))


def alarm_sentences(runs: Iterable[RunConfig]) -> Iterator[str]:
    """What the alarm found of each run that it looked at, after the run's name."""
    for run in (config.run for config in runs):
        if sentence := alarm_sentence(run_folder(run)):
            yield f"{run.run_name}: {sentence}"


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


def _alarm_plan(config: RunConfig, attacks: SuiteAttacks) -> AlarmPlan:
    """On the tuned model alone, with a white box of as many steps as the attacks have."""
    steps = max(attacks.steps or config.evaluation.robust_steps, 2)
    spent = (steps, _QUERIES, 1, 256)
    return plan_alarm(config, None, spent, attacks.alarm, (), zero_shot=False, device="auto")


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
