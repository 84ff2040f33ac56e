"""Put the report together and write it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from fedmvp_core.config.options import option_words
from fedmvp_core.disk import replace_text
from fedmvp_core.objectives.capt import CAPTOptions
from fedmvp_core.run_folder import PICTURES, REPORT
from simulations.report import bars, configuration, figures, robust, robust_figures, summary
from simulations.report.attacked_later import alarm_sentence, later_attacks
from simulations.report.by_data_set import by_data_set
from simulations.report.pictures import picture_uri
from simulations.report.run_data import RunData, read_run
from simulations.report.sheets import write_sheets
from simulations.report.splits import TITLES, client_splits, evaluated_splits, meanings

if TYPE_CHECKING:
    from simulations.runner.saved_run import SavedRun


def write_report(folder: Path, saved: "SavedRun | None" = None) -> Path:
    """Write `report.html` into a run folder, from whatever the run has left there so far.

    Of a saved run, its pictures are written beside it, below `pictures/`.

    Args:
        saved: the run's model and data, for example predictions and attention; left out without.

    Raises:
        DataError: the folder is no run folder, or one of its files is broken.
    """
    run = read_run(Path(folder))
    pictures = _pictures(saved)
    path = run.folder / REPORT
    # A reader who opens the page meanwhile sees the old report or the new one, never half of one.
    replace_text(path, _rendered(run, pictures))
    write_sheets(run.folder / PICTURES, pictures["attacked"], pictures["attention"])
    return path


def render(run: RunData, saved: "SavedRun | None" = None) -> str:
    """The page as text."""
    return _rendered(run, _pictures(saved))


def _rendered(run: RunData, pictures: Mapping[str, Any]) -> str:
    template = page_environment("simulations.report").get_template("template.html.j2")
    return template.render(**_numbers(run), **_under_attack(run), **pictures)


def page_environment(*packages: str) -> jinja2.Environment:
    """Templates of these packages, those of the first before others of the same name."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, ".") for name in packages]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        percent=percent,
        points=points,
        bytes=figures.bytes_text,
        duration=duration,
        number=number,
        picture=picture_uri,
    )
    return environment


def _numbers(run: RunData) -> dict[str, Any]:
    """What the files tell."""
    found = summary.results(run)
    totals = summary.totals(run)
    start = run.event("start")
    clients = start.get("clients") or len(run.shards) or len(client_splits(run))
    splits = list(dict.fromkeys(run.classes["split"])) if len(run.classes) else []
    return {
        "run": run,
        "status": run.status.get("status", "unknown"),
        "error": run.status.get("error") or run.event("end").get("error"),
        "results": found,
        "verdict": summary.verdict(found, run.measure),
        "measure": run.measure,
        "below": [
            f"{result.title} {run.measure} by {-result.change:.1f} points"
            for result in found
            if result.trend == "below"
        ],
        "totals": totals,
        "seconds": max(run.environment.get("seconds") or 0, totals.get("seconds", 0)),
        "clients": clients,
        "prompt_numbers": start.get("prompt-numbers"),
        "rounds_done": run.status.get("rounds-completed", run.event("round").get("round", 0)),
        "meanings": meanings(run),
        "titles": TITLES,
        "charts": _charts(run),
        "client_rows": summary.client_rows(run),
        "class_charts": [
            (split, bars.class_chart(run, split, f"classes{number}"))
            for number, split in enumerate(splits)
        ],
        "rounds_table": _rounds_table(run),
        "settings": configuration.settings(run),
        "command": configuration.reproduce_command(run, clients),
    }


def _under_attack(run: RunData) -> dict[str, Any]:
    """What is there to tell of attacks, in evaluation and in training."""
    attack = robust.run_attack(run)
    own = run.metrics[run.metrics["metric"] == "alpha-cons"]
    by_round = own.groupby("round")["value"].mean()
    shown: dict[str, Any] = {
        "attack": attack,
        "by_data_set": by_data_set(run, attack),
        "robust": {result.clean.split: result for result in attack.results} if attack else {},
        "robust_below": [
            f"{result.clean.title} {run.measure} under attack by {-result.change:.1f} points"
            for result in (attack.results if attack else ())
            if result.trend == "below"
        ],
        "robust_verdict": robust.verdict(attack, run.measure) if attack else "",
        "robust_charts": robust_figures.accuracy_charts(run, attack) if attack else [],
        "alignment_charts": robust_figures.alignment_charts(run, attack) if attack else [],
        "later_attacks": later_attacks(run.folder),
        "alarm_sentence": alarm_sentence(run.folder),
        "robust_rounds": robust.rounds_table(run, attack) if attack else [],
    }
    alpha = (float(by_round.iloc[0]), float(by_round.iloc[-1])) if len(by_round) else None
    return shown | {
        "alpha_cons_chart": robust_figures.alpha_cons_chart(run),
        "alpha_cons": alpha,
        "trust": _trust(run.config),
    }


def _trust(config: Mapping[str, Any]) -> dict[str, str]:
    """How alpha_cons was found: its options, as version 0.1 wrote them or as options."""
    given = option_words("the objective", str(config.get("objective-options", "")))
    usual = {"alpha-cons": CAPTOptions().alpha_cons, "alpha-cons-per": CAPTOptions().alpha_cons_per}
    return {key: given.get(key, str(config.get(key, value))) for key, value in usual.items()}


def _charts(run: RunData) -> dict[str, Any]:
    return {
        "accuracy": figures.accuracy_chart(run),
        "loss": figures.loss_chart(run),
        "clients": bars.client_chart(run),
        "shards": bars.shard_chart(run),
        "traffic": figures.traffic_chart(run),
        "phase": figures.phase_chart(run),
        "seconds": figures.seconds_chart(run),
        "failed": figures.failed_chart(run),
    }


def _rounds_table(run: RunData) -> dict[str, Any]:
    """Accuracies by evaluated round, for those who want the numbers behind the chart."""
    splits = evaluated_splits(run)
    columns = {split: run.series(split, run.headline) for split in splits}
    rounds = sorted({number for column in columns.values() for number in column.index})
    return {
        "splits": [(split, TITLES.get(split, split)) for split in splits],
        "zero_shot": [summary.zero_shot(run, split) for split in splits],
        "rows": [(n, [float(columns[s].get(n, float("nan"))) for s in splits]) for n in rounds],
    }


def _pictures(saved: "SavedRun | None") -> dict[str, Any]:
    """What only the saved model can tell."""
    if saved is None:
        return {
            "has_model": False,
            "model_round": None,
            "examples": [],
            "attention": [],
            "attacked": None,
        }
    from simulations.report.attacked import attacked_examples
    from simulations.report.attention import attention_maps
    from simulations.report.examples import predict_examples

    examples = predict_examples(saved)
    return {
        "has_model": True,
        "model_round": saved.round,
        "examples": examples,
        "attention": attention_maps(saved, examples),
        "attacked": attacked_examples(saved),
    }


def percent(fraction: float) -> str:
    """0.6134 -> '61.3', NaN -> a dash."""
    return "–" if fraction != fraction else f"{100 * fraction:.1f}"


def points(change: float) -> str:
    """Signed points with one decimal and a real minus sign; NaN -> a dash."""
    if change != change:
        return "–"
    if abs(change) < summary.EQUAL:
        return "±0.0"
    return f"{change:+.1f}".replace("-", "−")


def duration(seconds: float) -> str:
    """42 -> '42 s', 100 -> '1 min 40 s', 5000 -> '1 h 23 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def number(value: float) -> str:
    """1234567 -> '1,234,567'."""
    return f"{value:,.0f}"
