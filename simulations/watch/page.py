"""The watch page: a list of runs, and one run while it goes; in the look of the report."""

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from fedmvp_core.errors import DataError
from fedmvp_core.run_folder import CONFIG, REPORT, read_object, read_status
from simulations.report import configuration, figures, robust, robust_figures, summary
from simulations.report.page import duration, page_environment
from simulations.report.run_data import WORDS, RunData, read_run
from simulations.report.splits import TITLES, client_splits
from simulations.runner.results import final_accuracies, final_headline, final_robust_accuracies
from simulations.watch import now
from simulations.watch.folders import (
    linked_away,
    pictures_of,
    stamp_of_list,
    stamp_of_run,
    watched_folders,
)

MOST_PICTURES = 8
# The one number of a run in the list: the first of these that it has.
_LEADING = ("harmonic-mean", "target-mean", "target", "all", "new", "base", "local")


@dataclass(frozen=True)
class Listed:
    """A row of the list; accuracies are fractions or None."""

    name: str
    status: str
    method: str
    dataset: str
    rounds: int
    done: int
    split: str
    measure: str
    zero_shot: float | None
    tuned: float | None
    robust: float | None
    heard: float

    @property
    def share(self) -> float:
        """Of the rounds, in [0, 1]."""
        return min(self.done / self.rounds, 1.0) if self.rounds else 0.0


def shell(title: str, body: str, tag: str, live: str) -> str:
    """The whole page around a body, which the browser asks for again at `live`."""
    template = _environment().get_template("watch.html.j2")
    return template.render(title=title, body=body, tag=tag, live=live)


def list_body(output_dir: Path) -> tuple[str, str]:
    """(stamp, HTML) of the runs below a folder, those that wrote last first."""
    folders = watched_folders(output_dir)
    stamp = stamp_of_list(folders.values())
    rows = [_listed(folder) for folder in folders.values()]
    body = _environment().get_template("list.html.j2")
    return stamp, body.render(
        runs=sorted(rows, key=lambda row: -row.heard),
        folder=output_dir.absolute(),
        linked_away=linked_away(output_dir),
        titles=TITLES,
        now=time.time(),
    )


def _listed(folder: Path) -> Listed:
    config, status = read_object(folder / CONFIG), read_status(folder)
    split, (zero_shot, tuned), robust_now, measure = "", (None, None), None, ""
    try:
        values = final_accuracies(folder)
        split = next((s for s in (*_LEADING, *values) if s in values), "")
        zero_shot, tuned = values.get(split, (None, None))
        robust_now = final_robust_accuracies(folder)[1].get(split, (None, None))[1]
        measure = WORDS[final_headline(folder)]
    except DataError:  # it has not measured anything yet, or the table is damaged
        pass
    return Listed(
        name=folder.name,
        status=str(status.get("status", "unknown")),
        method=str(config.get("method", "?")),
        dataset=str(config.get("dataset", "?")),
        rounds=_whole(status.get("rounds")),
        done=_whole(status.get("rounds-completed")),
        split=split,
        measure=measure,
        zero_shot=zero_shot,
        tuned=tuned,
        robust=robust_now,
        heard=now.heard(folder),
    )


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def run_body(folder: Path) -> tuple[str, str]:
    """(stamp, HTML) of one run; of a folder that cannot be read, why."""
    stamp = stamp_of_run(folder)
    try:
        run = read_run(folder, with_steps=False)
    except (DataError, OSError) as error:
        body = _environment().get_template("unreadable.html.j2")
        return stamp, body.render(name=folder.name, error=error)
    return stamp, _environment().get_template("run.html.j2").render(**_facts(run))


def _facts(run: RunData) -> dict[str, Any]:
    """What the template shows."""
    attack = robust.run_attack(run)
    found = summary.results(run)
    state = now.now_of(run)
    start = run.event("start")
    pictures = pictures_of(run.folder)
    return {
        "run": run,
        "config": run.config,
        "status": run.status.get("status", "unknown"),
        "error": run.status.get("error") or run.event("end").get("error"),
        "now": state,
        "measure": run.measure,
        "results": found,
        "verdict": summary.verdict(found, run.measure),
        "attack": attack,
        "robust": {result.clean.split: result for result in attack.results} if attack else {},
        "robust_verdict": robust.verdict(attack, run.measure) if attack else "",
        "titles": TITLES,
        "totals": summary.totals(run),
        "prompt_numbers": start.get("prompt-numbers"),
        "accuracy_chart": figures.accuracy_chart(run),
        "loss_chart": figures.loss_chart(run),
        "seconds_chart": figures.seconds_chart(run),
        "failed_chart": figures.failed_chart(run),
        "robust_charts": robust_figures.accuracy_charts(run, attack) if attack else [],
        "clients": now.clients_of(run),
        "client_count": start.get("clients") or len(run.shards) or len(client_splits(run)),
        "strip_rounds": now.STRIP_ROUNDS,
        "refused": now.refused_of(run),
        "pictures": [
            (name, int(path.stat().st_mtime))
            for name, path in list(pictures.items())[:MOST_PICTURES]
        ],
        "settings": configuration.settings(run),
        "log": now.log_tail(run.folder),
        "has_report": (run.folder / REPORT).is_file(),
        "warnings": [e["text"] for e in run.events if e.get("event") == "warning" and "text" in e],
        "clock": time.time(),
    }


def ago(seconds: float) -> str:
    """How long ago, in words; the page counts on from there."""
    return f"{duration(max(seconds, 0))} ago"


def in_url(name: str) -> str:
    """A file name as one part of an address, bytes that are no UTF-8 included."""
    return quote(os.fsencode(name), safe="")


@cache
def _environment() -> jinja2.Environment:
    environment = page_environment("simulations.watch", "simulations.report")
    environment.filters.update(ago=ago, path=in_url)
    return environment
