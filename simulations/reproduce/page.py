"""Step 5: the page to share: published numbers beside ours, and all that they were made with."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from fedmvp_core.config import PUBLISHED
from fedmvp_core.methods.differences import HEADINGS, differences_of
from fedmvp_core.methods.differences.codes import CODES
from fedmvp_core.methods.published import departures
from fedmvp_core.run_folder import read_status, run_folder
from simulations.reproduce.asked import ENDING, Job, ReproduceOptions
from simulations.reproduce.data import SETS_COLUMNS, CheckedSet, set_row
from simulations.reproduce.made_with import made_with
from simulations.reproduce.sections import Section, write_page
from simulations.reproduce.weights import ZERO_SHOT_COLUMNS, FoundWeights, zero_shot_rows
from simulations.runner.named_runs import pretrained_parts
from simulations.suite.files import Suite
from simulations.suite.results import DoneRun, table_of
from simulations.suite.running import is_done

NOTHING_HAPPENED = "not begun"


def write_reproduction(
    suite: Suite,
    options: ReproduceOptions,
    jobs: Sequence[Job],
    sets: Sequence[CheckedSet],
    found: FoundWeights,
    costs: Sequence[tuple[str, ...]],
) -> tuple[Path, Path]:
    """Write <output-dir>/<suite>-reproduction.md and .html, of what is done by now."""
    done = [job.run for job in jobs if is_done(job.config)]
    lacking = [job for job in jobs if not is_done(job.config)]
    sections = [
        _head(suite, options, jobs, lacking),
        _results(suite, done),
        *_missing(lacking),
        _otherwise(options, jobs, sets),
        _codes(jobs),
        Section("Weights", (), [("what", "value"), *chain(*found.facts.values())]),
        Section("Zero-shot", found.warnings, [ZERO_SHOT_COLUMNS, *zero_shot_rows(found.rows)]),
        _data(sets),
        _splits(found),
        Section("Estimated before the runs", (), costs),
        Section("Made with", (), [("what", "value"), *made_with()]),
    ]
    path = options.runs.output_dir.absolute() / f"{suite.name}{ENDING}"
    folders = _folders(options, jobs)
    shareable = [section.without(folders) for section in sections]
    return write_page(path, f"Reproduction of {suite.name}", shareable)


def _folders(options: ReproduceOptions, jobs: Sequence[Job]) -> list[str]:
    """Folders of this machine, which tell another nothing; the deepest first."""
    runs = options.runs
    places = [runs.output_dir.absolute(), *([runs.root.absolute()] if runs.root else ())]
    files = {part for job in jobs for part in pretrained_parts(job.weights[1])}
    places += [Path(part).parent for part in files if Path(part).is_absolute()]
    return sorted({str(place) for place in places}, key=len, reverse=True)


def _head(
    suite: Suite, options: ReproduceOptions, jobs: Sequence[Job], lacking: Sequence[Job]
) -> Section:
    seeds = dict.fromkeys(job.config.run.seed for job in jobs)
    sentences = [
        suite.description,
        f"Published numbers: {suite.source or 'their source is not named'}.",
        f"{len(jobs) - len(lacking)} of {len(jobs)} runs are completed. "
        f"Seeds: {', '.join(map(str, seeds))}. Protocol: {options.protocol}.",
    ]
    return Section("What this is", sentences, command=options.command)


def _results(suite: Suite, done: Sequence[DoneRun]) -> Section:
    sentences = (
        "Ours is the mean over the seeds, and range its lowest and highest; difference is ours "
        "less the published, in points. A dash: not measured, or not published.",
        "A row without ours is of a method that the suite does not run, or of missing runs.",
    )
    return Section("Published numbers and ours", sentences, table_of(suite, done))


def _missing(lacking: Sequence[Job]) -> list[Section]:
    """The runs that are not completed, each by its name; no section where there is none."""
    if not lacking:
        return []
    rows = [
        (
            job.config.run.run_name,
            str(read_status(run_folder(job.config.run)).get("status", NOTHING_HAPPENED)),
            str(read_status(run_folder(job.config.run)).get("error") or "-"),
        )
        for job in lacking
    ]
    sentences = ("These runs have not completed, and are in no number above.",)
    return [Section("Missing runs", sentences, [("run", "state", "error"), *rows])]


def _otherwise(
    options: ReproduceOptions, jobs: Sequence[Job], sets: Sequence[CheckedSet]
) -> Section:
    """Where these runs are not as the suite, or the method's paper, has them."""
    rows: dict[tuple[str, ...], None] = {}
    for job in jobs:
        config = job.config
        if job.weights != job.named:
            rows["all runs", "weights", " ".join(job.named), " ".join(job.weights)] = None
        if job.precision != config.model.precision:
            rows["all runs", "precision", job.precision, config.model.precision] = None
        for one in departures(config):
            here = "not read" if one.here is None else str(one.here)
            rows[config.model.method, one.key, str(one.published), here] = None
    for checked in sets:
        for fault in checked.other_counts:
            rows[checked.name, "copy of the data set", "as published", fault] = None
    if options.protocol != PUBLISHED:
        rows["all runs", "protocol", PUBLISHED, options.protocol] = None
    models = [job.config.model for job in jobs]
    nothing = sorted({model.method for model in models if model.protocol != PUBLISHED})
    sentences = [
        "What a suite's file says of its table wins over what a method's paper has elsewhere; such "
        "departures are listed too."
    ]
    if nothing and options.protocol == PUBLISHED:
        sentences.append(f"No value is public of: {', '.join(nothing)}.")
    if not rows:
        return Section("What is otherwise here", [*sentences, "Nothing is."])
    return Section("What is otherwise here", sentences, [("of", "what", "there", "here"), *rows])


def _codes(jobs: Sequence[Job]) -> Section:
    """The rows of docs/methods.md about the codes of the suite's methods."""
    methods = dict.fromkeys(job.config.model.method for job in jobs)
    own = {code for method in methods for code in CODES.get(method, ())}
    rows = {row.row: None for m in methods for row in differences_of(m) if own & set(row.codes)}
    if not rows:
        return Section("What differs from released code", ("Nothing is known to.",))
    return Section("What differs from released code", (), [HEADINGS, *rows])


def _data(sets: Sequence[CheckedSet]) -> Section:
    if not sets:
        return Section("Data sets", ("None is read from a folder.",))
    return Section("Data sets", (), [SETS_COLUMNS, *map(set_row, sets)])


def _splits(found: FoundWeights) -> Section:
    """A hash of each split, over its class names and each image's name, domain and labels."""
    rows: dict[tuple[str, ...], None] = {}
    for surveyed in found.data.values():
        for split, of_split in surveyed.splits.items():
            row = (surveyed.dataset, split, f"{of_split['images']:,}", str(of_split["sha256"]))
            rows[row] = None
    sentence = (
        "A hash is over the class names in their order, and each picture's name, domain and "
        "labels; no picture is opened for it. Of all pictures, before clients are cut; with the "
        "first seed."
    )
    return Section("Splits", (sentence,), [("data", "split", "pictures", "SHA-256"), *rows])
