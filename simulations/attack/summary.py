"""`local` and the setting's headlines of attacked splits, as a run's own evaluation has them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from fedmvp_core.data.settings import Evaluation
from fedmvp_core.data.settings.summaries import LOCAL
from fedmvp_core.data.shards import make_shards
from server_app.evaluation.clean import asked, tested_splits, with_summary
from simulations.attack.run import AttackRow
from simulations.report.run_data import read_run
from simulations.runner.saved_run import SavedRun

# From one attack's rows, one a split, to the rows of their means.
SummaryRows: TypeAlias = Callable[[Sequence[AttackRow]], list[AttackRow]]


def summary_rows(saved: SavedRun, evaluations: Sequence[Evaluation]) -> SummaryRows:
    """The means that the run's setting has of these splits.

    `local` and what needs it are among them if every client holds all classes of one of the splits,
    whose numbers are the client's then. Other clients' own classes are not attacked here, nor where
    the pictures are not those of the run, which would be cut otherwise.
    """
    clients = 0 if saved.changed else len(read_run(saved.folder).shards)
    shards = make_shards(saved.setting, clients, saved.config) if clients else []
    _, local = tested_splits(saved.setting, shards)
    split_of = {asked(evaluation): evaluation.name for evaluation in evaluations}
    known = local if all(asked(client) in split_of for client in local) else ()

    def means(values: Mapping[str, float]) -> dict[str, float]:
        told = {**values, **{c.name: values[split_of[asked(c)]] for c in known}}
        every = with_summary(saved.setting.summary, known, told)
        parts = f"{LOCAL}-"  # of one data set among several
        return {n: v for n, v in every.items() if n not in told and not n.startswith(parts)}

    def rows_of(rows: Sequence[AttackRow]) -> list[AttackRow]:
        clean = {m: means({row.split: row.clean[m] for row in rows}) for m in rows[0].clean}
        robust = {m: means({row.split: row.robust[m] for row in rows}) for m in rows[0].robust}
        images = sum(row.images for row in rows)
        return [
            AttackRow(
                split=split,
                attack=rows[0].attack,
                images=images,
                clean={model: values[split] for model, values in clean.items()},
                robust={model: values[split] for model, values in robust.items()},
            )
            for split in next(iter(robust.values()))
        ]

    return rows_of
