"""The five steps, one after the other; each says what it found before the next begins.

1. the data sets   2. the weights   3. time and memory   4. the runs   5. the page
"""

from collections.abc import Sequence

from rich.console import Console

from simulations.exit_codes import COMPLETED
from simulations.reproduce.asked import (
    Job,
    ReproduceOptions,
    asked_suite,
    configs_of,
    jobs_of,
    silent_departures,
)
from simulations.reproduce.data import check_data
from simulations.reproduce.estimate import estimate
from simulations.reproduce.page import write_reproduction
from simulations.reproduce.weights import check_weights
from simulations.runner.planning import check_files
from simulations.suite.files import published_suite
from simulations.suite.running import is_done, planned_runs, run_undone


def reproduce(console: Console, options: ReproduceOptions) -> int:
    """Go through the steps; the exit code is that of the runs.

    A second call goes on where the first was broken off: completed runs stay, others go on from
    their last checkpoint. Features and the state of pictures are kept in the cache folder under
    hashes of weights, files and sizes, so that the checks are quick then.

    Raises:
        ConfigError: the suite has no published numbers, or a run of it is wrong.
        DataError: a data set is missing or broken; the weights are not looked at then.
    """
    suite = published_suite(options.suite)
    with silent_departures():
        asked = asked_suite(suite, options)
        configs = configs_of(asked, options.runs)
    if options.pretrained:  # a mistyped path is told before hours of looking at pictures
        check_files(configs[0])
    console.rule("1 of 5: the data sets")
    sets = check_data(console, configs, options.other_counts)
    with silent_departures():
        jobs = jobs_of(suite, asked, planned_runs(asked, options.runs), options)
    console.rule("2 of 5: the weights")
    first = [job for job in jobs if job.config.run.seed == jobs[0].config.run.seed]
    found = check_weights(console, suite, first)
    console.rule("3 of 5: time and memory")
    costs = estimate(console, jobs, first, found)
    if options.only_check:
        return COMPLETED
    console.rule("4 of 5: the runs")
    try:
        code = run_undone(console, [job.run.plan for job in jobs])
    finally:  # whatever ended the runs, the page tells of those that are done
        console.rule("5 of 5: the page")
        pages = write_reproduction(suite, options, jobs, sets, found, costs)
        _conclude(console, jobs, [str(page) for page in pages])
    return code


def _conclude(console: Console, jobs: Sequence[Job], pages: Sequence[str]) -> None:
    done = sum(is_done(job.config) for job in jobs)
    if done < len(jobs):
        console.print(
            f"{len(jobs) - done} of {len(jobs)} runs have not completed and are named as missing; "
            "the same command goes on with them",
            soft_wrap=True,
        )
    console.print(f"page: {' and '.join(pages)}", soft_wrap=True)
