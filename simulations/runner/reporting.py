"""Runs a plan with its progress shown, and says how the run ended."""

import logging
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fedmvp_core.config import RunConfig
from fedmvp_core.metrics.names import ACCURACY
from fedmvp_core.run_folder import CHECKPOINTS, FAILED, INTERRUPTED, PICTURES
from server_app.callbacks.loggers.pictures import log_pictures
from simulations.exit_codes import OF_STATUS
from simulations.runner.errors import OtherPicturesError, RunFailedError
from simulations.runner.planning import INLINE, Plan
from simulations.runner.progress import shown_progress
from simulations.runner.results import (
    final_accuracies,
    final_headline,
    final_robust_accuracies,
    points,
    shown,
)
from simulations.runner.simulate import RunOutcome, run_simulation

logger = logging.getLogger(__name__)
WORST_CASES = ("ensemble", "autoattack")  # attacks that are several, of which the worst counts


def run_plan(plan: Plan, console: Console) -> RunOutcome:
    """Run it by its engine, showing its progress."""
    with shown_progress(console, plan.config) as on_event:
        if plan.engine == INLINE:
            from simulations.runner.inline import run_inline  # both apps, with torch

            return run_inline(plan.config, plan.supernodes, on_event)
        return run_simulation(plan.config, plan.supernodes, plan.resources, on_event)


def show_outcome(
    outcome: RunOutcome, config: RunConfig, console: Console, report: bool, show: bool
) -> int:
    """Say how a run ended, with its final table and report; return the exit code.

    Raises:
        RunFailedError: it failed.
    """
    if outcome.status == INTERRUPTED:
        console.print(
            f"interrupted after {outcome.rounds_completed} of {config.federation.rounds} rounds; "
            f"what was done is in {outcome.folder}",
            soft_wrap=True,
        )
        if outcome.kept:
            console.print(f"{outcome.kept} holds the earlier run as it was", soft_wrap=True)
    elif outcome.status == FAILED:
        raise RunFailedError(outcome.error or f"the run failed; see {outcome.folder}")
    else:
        console.print(final_table(outcome.folder))
        if config.evaluation.robust_attack not in ("none", *WORST_CASES):
            console.print(
                "one attack gives an upper bound; the worst case of several: "
                f"fedmvp attack {outcome.folder} --attack {WORST_CASES[0]}",
                soft_wrap=True,
                highlight=False,
            )
        with console.status("writing the report"):
            page = write_page(outcome.folder) if report else None
        console.print(
            f"{'report' if page else 'run folder'}: {page or outcome.folder}", soft_wrap=True
        )
        if page and show:
            open_page(page)
    return OF_STATUS[outcome.status]


def final_table(folder: Path) -> Table:
    """Split, zero-shot, tuned, change in points: clean, and robust if the run was attacked."""
    attack, robust = final_robust_accuracies(folder)
    headline = final_headline(folder)
    caption = f"robust: {headline} under attack, {attack.label}" if attack else None
    title = folder.name if headline == ACCURACY else f"{folder.name}: {headline}"
    table = Table(title=title, title_justify="left", caption=caption)
    table.caption_justify = "left"
    table.add_column("split", no_wrap=True)
    for kind in ("clean", "robust") if attack else ("",):
        for column in ("zero-shot", "tuned", "change"):
            head = f"{kind}\n{column}" if kind else column
            table.add_column(head, justify="right", no_wrap=True)
    for split, clean in final_accuracies(folder).items():
        cells = list(_cells(*clean))
        if attack:
            cells += _cells(*robust.get(split, (None, None)))
        table.add_row(split, *cells)
    return table


def _cells(zero_shot: float | None, tuned: float | None) -> tuple[str, str, str]:
    return shown(zero_shot), shown(tuned), points(zero_shot, tuned)


def write_page(folder: Path, data_dir: Path | None = None) -> Path:
    """Write the report of a run folder and return its path.

    data_dir: where the run's pictures are now, if they were moved.

    A run that stopped before its first checkpoint has a report without examples. So has one whose
    pictures are gone or others now: the numbers are in the folder, the examples are not.
    """
    from server_app.records.checkpoints import latest_round
    from simulations.report import write_report
    from simulations.runner.saved_run import load_saved_run, told

    saved = None
    if latest_round(folder / CHECKPOINTS) is not None:
        try:
            saved = load_saved_run(folder, data_dir=data_dir)
            said = told(saved, [evaluation.name for evaluation in saved.setting.evaluations])
        except OtherPicturesError as error:
            said = str(error)
        if said:
            logger.warning("the report has no example pictures: %s", said)
            saved = None
    page = write_report(folder, saved)
    if saved is not None:
        pictures = {path.stem: path for path in (folder / PICTURES).glob("*.png")}
        log_pictures(saved.config, folder, pictures, saved.round)
    return page


def open_page(page: Path) -> None:
    """Show a page in the user's browser, if there is one."""
    open_page_at(page.as_uri())


def open_page_at(url: str) -> None:
    """Show what is at an address in the user's browser, if there is one."""
    import webbrowser

    webbrowser.open(url)
