"""Runs from Python: simulate one, measure it again, attack it; as the command line does.

Each function goes through what the command of the same name goes through, and raises the project's
errors (`fedmvp_core.errors`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fedmvp_core.config import Scalar
from fedmvp_core.config.options import options_text
from fedmvp_core.config.words import kebab
from fedmvp_core.data.settings import load_setting
from fedmvp_core.errors import ConfigError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.metrics.measures import measure
from fedmvp_core.replaced_run import check_replaceable
from fedmvp_core.run_folder import COMPLETED, INTERRUPTED, run_folder
from fedmvp_core.tasks import encode_task
from fedmvp_core.tuned import MODEL_FILE, TunedCLIP, load
from fedmvp_core.tuned.hub import looks_like_hub_id
from fedmvp_core.workspace import feature_cache
from simulations.attack.plan import plan_attack
from simulations.attack.report import report_attacks
from simulations.console import Console
from simulations.export.writing import export_run
from simulations.report.run_data import read_run
from simulations.runner.errors import RunFailedError
from simulations.runner.named_runs import resolve_config
from simulations.runner.planning import INLINE, named_by, plan_run
from simulations.runner.reporting import run_plan, write_page
from simulations.runner.results import final_accuracies, find_run, read_config
from simulations.runner.saved_run import load_saved_run
from simulations.runner.tuned_run import tuned_model

OUTPUT_DIR = Path("runs")


@dataclass(frozen=True)
class Result:
    """A run that was made. folder: where it lies; everything else is read from there."""

    folder: Path

    @property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv: round, split, metric, value."""
        return read_run(self.folder).metrics

    @property
    def clients(self) -> pd.DataFrame:
        """One row a client: client, images, classes, domains, and what metrics.csv last has of it.

        classes, domains: names; empty where the run does not let clients tell.
        """
        data = read_run(self.folder)
        rows = [
            {
                "client": shard.partition_id,
                "images": shard.num_examples,
                "classes": tuple(shard.classes),
                "domains": tuple(shard.domains),
            }
            for shard in data.shards
        ]
        own = data.metrics[data.metrics["split"].str.match(r"client-\d+$")]
        last = own.sort_values("round", kind="stable").groupby(["split", "metric"])["value"].last()
        measured = last.unstack()
        measured.index = measured.index.str.removeprefix("client-").astype(int)
        table = pd.DataFrame(rows, columns=["client", "images", "classes", "domains"])
        return table.join(measured, on="client")

    @property
    def accuracy(self) -> dict[str, float]:
        """Split -> accuracy (mAP with several labels an image) after the last round."""
        values = final_accuracies(self.folder)
        return {split: tuned for split, (_, tuned) in values.items() if tuned is not None}

    def model(self, device: str = "auto") -> TunedCLIP:
        """The tuned model, see `fedmvp.load`.

        Raises:
            CheckpointError: the folder holds no usable checkpoint.
        """
        return tuned_model(load_saved_run(self.folder, device))

    def export(self, output: str | Path | None = None, onnx: bool = False) -> Path:
        """Write the tuned model and its card, as `fedmvp export` does, and return their folder.

        Raises:
            ConfigError: there is no model to take away, or the folder is in use.
        """
        return export_run(self.folder, _path(output), onnx)

    def report(self) -> Path:
        """Write report.html and return its path."""
        return write_page(self.folder)


def simulate(
    run: str | None = None,
    *,
    engine: str = INLINE,
    supernodes: int | None = None,
    clients_at_once: int | None = None,
    clients_per_gpu: int | None = None,
    progress: bool = True,
    **keys: Any,
) -> Result:
    """Run one federation in simulation and return what it left.

    Args:
        run: a named run (`fedmvp list`) or a .toml file; None: the defaults of pyproject.toml, or
            the demo if there is no key either.
        engine: inline (this process) | ray.
        supernodes: the number of simulated clients' nodes, as --supernodes of `fedmvp run`.
        clients_at_once: as its --clients-at-once.
        clients_per_gpu: as its --clients-per-gpu.
        progress: whether a line is printed for each round.
        keys: run-config keys, with underscores: method="fedmvp", learning_rate=0.1. Options of a
            plugin come as a mapping too: method_options={"lora_rank": 4}.

    Raises:
        ConfigError: a key or a value is not what it may be, or a run of that name would be lost.
        RunFailedError: the run ended without completing.
        KeyboardInterrupt: the run was interrupted; what was done is in its folder.
    """
    words = [*([run] if run else []), *_words(keys)]
    named, overrides = named_by(words)
    plan = plan_run(named, overrides, supernodes, clients_at_once, clients_per_gpu, engine)
    settings = plan.config.run
    if not settings.resume:
        check_replaceable(run_folder(settings), settings.overwrite)
    outcome = run_plan(plan, Console(quiet=not progress))
    if outcome.status == INTERRUPTED:
        raise KeyboardInterrupt(
            f"after {outcome.rounds_completed} rounds; what was done is in {outcome.folder}"
        )
    if outcome.status != COMPLETED:
        raise RunFailedError(outcome.error or f"the run failed; see {outcome.folder}")
    return Result(outcome.folder)


def evaluate(
    run_or_model: Result | TunedCLIP | str | Path,
    *,
    device: str = "auto",
    data_dir: str | Path | None = None,
    **keys: Any,
) -> pd.DataFrame:
    """Measure a model on the test images of a setting.

    Args:
        run_or_model: a run, its folder or name; a model, or the folder or hub id of an export.
        device: auto | cpu | cuda; of a loaded model its own.
        data_dir: where the pictures are.
        keys: run-config keys that say on what, such as dataset="digits" or eval_split="validation".
            A run's own hold otherwise; of a model its data set and setting.

    Returns: one row a split and metric: split, images, metric, zero_shot (the frozen model with the
        plain template), tuned. Clients' own classes are no split here.

    Raises:
        ConfigError, DataError, CheckpointError: something cannot be used, or is not there.
    """
    model, base = _model_of(run_or_model, device, data_dir)
    given = dict(keys) if data_dir is None else {**keys, "data_dir": data_dir}
    named, overrides = named_by(["run-name=evaluation", *_words(given)])
    config = resolve_config(replace(named, config=base), overrides)
    setting, cache = load_setting(config, model.backbone.image_size), feature_cache(config.run)
    rows = []
    for split in setting.evaluations:
        task, images = encode_task(model.backbone, split.task, cache), split.images
        before, after = (
            measure(predict_probabilities(model.backbone, m, task, images.images), images.labels)
            for m in (None, model.prompting)
        )
        rows += [(split.name, len(images), name, before[name], after[name]) for name in after]
    return pd.DataFrame(rows, columns=["split", "images", "metric", "zero_shot", "tuned"])


def attack(
    run: Result | str | Path,
    attack: str | Sequence[str] = (),
    epsilon: str | Sequence[str] = (),
    *,
    steps: int | None = None,
    images: int = 0,
    split: str | Sequence[str] = (),
    defence: str | Sequence[str] = (),
    zero_shot: bool = True,
    batch_size: int = 256,
    device: str = "auto",
    data_dir: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Attack a finished run, as `fedmvp attack` does, with arguments of its options' names.

    attack, epsilon, split, defence: a name or several; nothing: the run's own, all splits, and no
        defence.

    Returns: the table that is left below the run's `attacks/` (docs/attacks.md): a row a split,
        attack, epsilon and defence, with fractions.

    Raises:
        ConfigError: an argument is not what it may be.
        AttackError, CheckpointError, DataError: the attack cannot work here, or the run is no
            longer what it was.
    """
    folder = _folder_of(run)
    chosen = (_listed(attack), _listed(epsilon), steps, images, _listed(split))
    how = (zero_shot, batch_size, device, 1, _listed(defence))
    plan = plan_attack(read_config(folder), *chosen, *how)
    console = Console(quiet=not progress)
    return pd.read_csv(report_attacks(console, folder, plan, _path(data_dir)))


def _model_of(
    given: Result | TunedCLIP | str | Path, device: str, data_dir: str | Path | None
) -> tuple[TunedCLIP, Mapping[str, Scalar]]:
    """A model, and the run-config keys that say on what it was tested."""
    if isinstance(given, TunedCLIP) or _is_export(given):
        model = given if isinstance(given, TunedCLIP) else load(str(given), device=device)
        about = model.exported.about
        return model, {name: about[name] for name in ("dataset", "setting") if name in about}
    folder = _folder_of(given)
    saved = load_saved_run(folder, device, data_dir=_path(data_dir))
    return tuned_model(saved), saved.config.as_mapping()


def _is_export(given: Result | str | Path) -> bool:
    """Whether a word means an export, not a run: by its file, or as an id of the hub."""
    if isinstance(given, Result):
        return False
    path = Path(given).expanduser()
    if path.is_file() or (path / MODEL_FILE).is_file():
        return True
    return looks_like_hub_id(str(given)) and not path.exists() and not (OUTPUT_DIR / path).exists()


def _folder_of(run: Result | str | Path) -> Path:
    return run.folder if isinstance(run, Result) else find_run(str(run), OUTPUT_DIR)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _listed(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _words(keys: Mapping[str, Any]) -> list[str]:
    """Keyword arguments as the words of a command line, which are read and checked in one place.

    Raises:
        ConfigError: a value is of a type that no key has.
    """
    return [f"{kebab(name)}={_word(kebab(name), value)}" for name, value in keys.items()]


def _word(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return options_text({kebab(name): inner for name, inner in value.items()})
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Path):
        return str(value)
    if isinstance(value, Sequence):
        return ",".join(str(item) for item in value)
    raise ConfigError(f"{key} is {value!r}; allowed: a text, a number, true, false, or a list")
