"""Running a suite: what is not done yet, its attacks, then its table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.errors import ConfigError
from fedmvp_core.replaced_run import has_results, held_run
from fedmvp_core.run_folder import (
    CHECKPOINTS,
    COMPLETED,
    CONFIG,
    differences,
    read_object,
    read_status,
    run_folder,
)
from server_app.records.checkpoints import latest_round
from simulations.console import silent
from simulations.exit_codes import INTERRUPTED, OF_STATUS
from simulations.runner.named_runs import NamedRun
from simulations.runner.planning import Plan, plan_run, small_engine
from simulations.runner.project import default_config
from simulations.runner.reporting import run_plan
from simulations.suite.attacks import alarm_sentences, attack_completed
from simulations.suite.files import Suite, SuiteAttacks, SuiteRun, load_suite, with_root
from simulations.suite.results import DoneRun, as_markdown, table_of, write_table
from simulations.suite.side_by_side import Ended, Task, check_engine, side_by_side
from simulations.suite.wide import wide_table

# A smoke test shows that a suite runs to its end; its numbers say nothing.
_SMOKE_ROUNDS = 1
_SMOKE: dict[str, Scalar] = {"attack-steps": 1, "evaluate-every": 1}
_SMOKE_ATTACK: dict[str, Scalar] = {
    "robust-attack": "fgsm",
    "robust-every": 0,
    "robust-steps": 1,
    "robust-images": 32,
    "robust-last-images": 32,
}


@dataclass(frozen=True)
class SuiteOptions:
    """How a suite is run.

    seeds: instead of the suite's own, if any. root: the folder that holds the data sets' folders.
    resume: go on from the last checkpoint of runs that were broken off. overwrite: replace runs of
    another configuration. smoke: one short round of each run, at the first value of every axis,
    with one seed, and with the suite's own [smoke]. table_only: run and attack nothing,
    tabulate what is done. engine: "": inline, unless clients are to train side by side.
    ray_address: of a standing cluster, if any. jobs: so many runs at once, each in a process of its
    own.
    """

    output_dir: Path
    seeds: Sequence[int] = ()
    root: Path | None = None
    resume: bool = False
    overwrite: bool = False
    smoke: bool = False
    table_only: bool = False
    clients_at_once: int | None = None
    clients_per_gpu: int | None = None
    engine: str = ""
    ray_address: str | None = None
    jobs: int = 1


def run_suite(console: Console, name: str, options: SuiteOptions) -> int:
    """Run what is not yet done, print and write the table; return the exit code.

    Raises:
        ConfigError: a run of the suite is wrong; none has been started then.
    """
    suite = load_suite(name)
    if options.smoke:
        suite = _shortened(suite)
    planned = planned_runs(suite, options)
    code = 0
    if not options.table_only:
        code = run_undone(console, [run.plan for run in planned], jobs=options.jobs)
    if code == INTERRUPTED:
        return code
    done = [run for run in planned if is_done(run.plan.config)]
    if not options.table_only:
        attacked = _attack_all(console, [run.plan.config for run in done], suite, options.jobs)
        if attacked == INTERRUPTED:
            return attacked
        code = code or attacked
    table = (wide_table if suite.wide else table_of)(suite, done)
    console.print(as_markdown(table), soft_wrap=True, markup=False, highlight=False)
    said = [f"published: {suite.source}"] if suite.source else []
    said += alarm_sentences(run.plan.config for run in done)
    for line in said:
        console.print(line, soft_wrap=True, markup=False)
    files = write_table(options.output_dir.absolute() / suite.name, table, said)
    console.print(f"table: {' and '.join(map(str, files))}", soft_wrap=True)
    return code


def run_undone(
    console: Console, plans: Sequence[Plan], titles: Sequence[str] = (), jobs: int = 1
) -> int:
    """Run what is not done yet, `jobs` at once; one that fails does not stop the others.

    titles: a heading for each, of runs one after the other. Returns: the first exit code that is
    not 0; that of an interrupt as soon as there is one.

    Raises:
        ConfigError: several at once, but of an engine that has processes of its own.
    """
    check_engine(plans, jobs)
    if jobs > 1:
        undone = [plan for plan in plans if not is_done(plan.config)]
        tasks = [Task(plan.config.run.run_name, partial(_run_quietly, plan)) for plan in undone]
        return _code(side_by_side(console, tasks, jobs))
    code = 0
    for number, plan in enumerate(plans):
        if titles:
            console.rule(titles[number])
        if is_done(plan.config):
            console.print(f"{plan.config.run.run_name} is done already", soft_wrap=True)
            continue
        outcome = run_plan(plan, console)
        code = code or OF_STATUS[outcome.status]
        if outcome.error:
            said = f"{plan.config.run.run_name}: {outcome.error}"
            console.print(said, soft_wrap=True, markup=False)
        if outcome.status == "interrupted":
            return INTERRUPTED
    return code


def _attack_all(console: Console, runs: Sequence[RunConfig], suite: Suite, jobs: int) -> int:
    """Attack completed runs as the suite has it; the exit code.

    Raises:
        ConfigError, AttackError, CheckpointError: one cannot be attacked, one after the other.
    """
    if jobs == 1 or not suite.attacks.asks:
        for config in runs:
            attack_completed(console, config, suite.attacks)
        return 0
    tasks = [
        Task(f"attacks on {c.run.run_name}", partial(_attack_quietly, c, suite.attacks))
        for c in runs
    ]
    return _code(side_by_side(console, tasks, jobs))


def _run_quietly(plan: Plan) -> Ended:
    outcome = run_plan(plan, silent())
    return outcome.status, outcome.error or ""


def _attack_quietly(config: RunConfig, attacks: SuiteAttacks) -> Ended:
    attack_completed(silent(), config, attacks)
    return COMPLETED, ""


def _code(ended: Sequence[Ended]) -> int:
    """That of an interrupt, if there was one, else the first that is not 0."""
    codes = [OF_STATUS[status] for status, _ in ended]
    return INTERRUPTED if INTERRUPTED in codes else next((code for code in codes if code), 0)


def is_done(config: RunConfig) -> bool:
    """Whether the run folder holds a completed run of this very configuration."""
    folder = run_folder(config.run)
    if read_status(folder).get("status") != COMPLETED or not read_object(folder / CONFIG):
        return False
    return not other_keys(config)


def other_keys(config: RunConfig) -> dict[str, tuple[object, object]]:
    """What makes the run that the run folder holds another one: key -> (its, the asked one)."""
    saved = read_object(run_folder(config.run) / CONFIG)
    # A key that is younger than the run had its default then.
    return differences({**default_config(), **saved}, config) if saved else {}


def replacing(plan: Plan, overwrite: bool) -> Plan:
    """The plan of a run that is not done, with leave to begin anew.

    The names are ours, so what was broken off goes unasked. Of another configuration only with
    `overwrite`.

    Raises:
        ConfigError: the folder holds results of another configuration.
    """
    folder = run_folder(plan.config.run)
    others = other_keys(plan.config) if has_results(folder) and not overwrite else {}
    if others:
        shown = ", ".join(f"{k} (was {was!r}, is {now!r})" for k, (was, now) in others.items())
        raise ConfigError(
            f"'{folder}' holds {held_run(folder)} of another configuration: {shown}; replace it "
            "with --overwrite, or choose another --output-dir"
        )
    return replace(plan, config=plan.config.with_values(overwrite=True))


def planned_runs(suite: Suite, options: SuiteOptions) -> list[DoneRun]:
    """Every run with every seed; all are checked before the first starts.

    Raises:
        ConfigError: a run is wrong, or its folder holds results of another configuration.
    """
    planned = []
    for entry in suite.runs:
        run = with_root(entry.run, options.root)
        for seed in options.seeds or suite.seeds:
            own = own_keys(suite, run, seed, options)
            if options.smoke:
                own |= {**_smoke_config(run.config), **suite.smoke}
            numbers, address = (
                (options.clients_at_once, options.clients_per_gpu),
                options.ray_address,
            )
            engine = options.engine or small_engine(*numbers, address)
            plan = plan_run(run, own, None, *numbers, engine, address)
            if options.resume and _can_resume(plan):
                plan = replace(plan, config=plan.config.with_values(resume="latest"))
            planned.append(DoneRun(run.name, entry.mean, replacing(plan, options.overwrite)))
    return planned


def own_keys(suite: Suite, run: NamedRun, seed: int, options: SuiteOptions) -> dict[str, Scalar]:
    """What a suite sets in each of its runs: the name, the seed and the folders."""
    own: dict[str, Scalar] = {
        "run-name": f"{suite.name}-{run.name}-seed{seed}",
        "seed": seed,
        "output-dir": str(options.output_dir),
    }
    if options.root is not None and "data-dir" not in run.config:
        own["data-dir"] = str(options.root.absolute())
    return own


def _can_resume(plan: Plan) -> bool:
    """Whether this very run, not done yet, left something to go on from."""
    begun = latest_round(run_folder(plan.config.run) / CHECKPOINTS) is not None
    return begun and not is_done(plan.config) and not other_keys(plan.config)


def _shortened(suite: Suite) -> Suite:
    """The suite of a smoke test, under a name of its own, so that no real run is taken for done."""
    runs: list[SuiteRun] = [run for run in suite.runs if run.first]
    short = replace(suite, seeds=suite.seeds[:1], runs=runs, ceilings="", attacks=SuiteAttacks())
    return replace(short, name=f"{suite.name}-smoke")


def _smoke_config(config: Mapping[str, Scalar]) -> dict[str, Scalar]:
    values = {**default_config(), **config}
    attack = {} if values["robust-attack"] == "none" else _SMOKE_ATTACK
    return {"rounds": min(int(values["rounds"]), _SMOKE_ROUNDS), **_SMOKE, **attack}
