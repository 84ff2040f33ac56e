"""Whether a run can start, and what it would be: looked at without starting or writing anything.

Weights are loaded, the data is read and cut, the prompt tensors are made: what the server and its
clients would fail on is found here, before Flower is started.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from fedmvp_core.config import RunConfig, RunSection
from fedmvp_core.data.fingerprints import fingerprints
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.settings import Evaluation, Setting
from fedmvp_core.data.shards import Shard, make_shards
from fedmvp_core.errors import ConfigError, DataError, FedMVPError
from fedmvp_core.exchange import sent_in, travelling_tensors
from fedmvp_core.methods import check_attackable, find_method
from fedmvp_core.prompting import check_tasks
from fedmvp_core.protocol import num_bytes
from fedmvp_core.registry import METRICS, find
from fedmvp_core.replaced_run import check_replaceable, held_run
from fedmvp_core.run_folder import SPLITS, holds_run, run_folder
from fedmvp_core.terms import configured_terms
from fedmvp_core.wire import wire_bytes
from fedmvp_core.workspace import open_workspace
from server_app.aggregation import asked_terms
from server_app.cohort.nodes import cohort_size
from server_app.evaluation.clean import check_metrics, tested_splits
from server_app.privacy import affordable_rounds
from server_app.records.resuming import check_splits, round_to_resume
from server_app.start_checks import check_attack, check_examples, check_room, check_start
from simulations.datasets.shard_tables import print_shards
from simulations.runner.planning import Plan
from simulations.runner.protocol_tables import print_protocol


@dataclass(frozen=True)
class RunParts:
    """What a run would be made of.

    elements: of all prompt tensors. sent: bytes of all of them. answered: bytes of a client's reply
    by phase; a phase that the method does not have is missing. rounds: 0 of a zero-shot method.
    activation: the backbone's, and how it is known. notes: how its weights were read. warnings: of
    sentences that the text encoder does not read wholly.
    """

    setting: Setting
    shards: list[Shard]
    local: Sequence[Evaluation]
    image_size: int
    device: str
    elements: int
    sent: int
    answered: dict[str, int]
    rounds: int
    activation: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def show_dry_run(plan: Plan, console: Console) -> None:
    """Say what the run would be.

    Raises:
        ConfigError: it could not be.
    """
    try:
        with console.status("loading weights and data"):
            parts = look(plan.config, plan.supernodes)
    except FedMVPError as error:  # whatever it is, it is so before anything began
        raise ConfigError(str(error)) from error
    print_shards(console, parts.shards, parts.setting, plan.config.data)
    console.print(run_table(plan.config, parts, plan.resources.clients_at_once))
    print_protocol(console, plan.config)


def look(config: RunConfig, clients: int) -> RunParts:
    """Make everything that a run is made of but the run.

    Raises:
        FedMVPError: what the run would fail on.
    """
    check_folder(config.run)
    asked, config = config, config.with_values(decode_cache=False)  # a cache would be written
    method = find_method(config)
    check_start(config, clients)
    more = [find(METRICS, name) for name in config.evaluation.metrics.split(",") if name]
    work = open_workspace(config)
    backbone, setting = work.backbone, work.setting
    check_resumed(asked, setting)
    shards = make_shards(setting, clients, config)
    check_attackable(method, shards, config)
    if method.trains:
        check_examples(config.federation, [len(shard.images) for shard in shards])
    splits, local = tested_splits(setting, shards)
    check_metrics(splits, more)
    check_attack(config.evaluation.robust_attack, [*splits, *local])
    for shard in shards:
        _check_readable(shard.images, f"client {shard.partition_id}")
    for split in setting.evaluations:
        _check_readable(split.images, f"split '{split.name}'")
    prompting = method.build_prompting(backbone, setting.train.class_names)
    tasks = [tested.task for tested in (*splits, *local)] + [shard.task for shard in shards]
    warnings = check_tasks(backbone, prompting, tasks)
    terms = configured_terms(asked_terms(config, method))
    tensors = travelling_tensors(prompting, terms)
    rounds = affordable_rounds(config) if method.trains else 0
    check_room(config.run, tensors, rounds)
    names = {phase: sent_in(prompting, terms, phase) for phase in method.phases}
    wire = config.federation.wire_dtype
    answered = {p: wire_bytes({n: tensors[n] for n in sent}, wire) for p, sent in names.items()}
    return RunParts(
        setting=setting,
        shards=shards,
        local=local,
        image_size=backbone.image_size,
        device=str(backbone.device),
        elements=sum(tensor.numel() for tensor in tensors.values()),
        sent=num_bytes(tensors),
        answered=answered,
        rounds=rounds,
        activation=str(backbone.activation),
        notes=backbone.notes,
        warnings=warnings,
    )


def check_resumed(config: RunConfig, setting: Setting) -> None:
    """Raises ConfigError for a run that is to go on and began with other pictures."""
    folder = run_folder(config.run)
    if round_to_resume(folder, config) is not None:
        check_splits(folder / SPLITS, fingerprints(setting), config.data.data_dir)


def _check_readable(images: ImageSet, holder: str) -> None:
    """Decode the first picture.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    if not len(images):
        raise DataError(f"{holder} holds no image")
    _ = images.select(torch.tensor([0])).images


def check_folder(run: RunSection) -> None:
    """Whether the run folder could be made and written, or taken over.

    Raises:
        ConfigError: it could not.
    """
    folder = run_folder(run)
    if not run.resume:
        check_replaceable(folder, run.overwrite)
    present = next(path for path in (folder, *folder.parents) if path.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        why = "cannot be written" if present.is_dir() else "is no folder"
        raise ConfigError(f"the run folder {folder} cannot be written: {present} {why}")


def run_table(config: RunConfig, parts: RunParts, clients_at_once: int) -> Table:
    """What the run would be, one fact a row."""
    title = f"{config.run.run_name}: nothing was started or written"
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    clients, federation = len(parts.shards), config.federation
    cohort = cohort_size(clients, federation.fraction_train)
    weights = config.model.pretrained or "random"
    rows = [
        ("method", f"{config.model.method}, {federation.strategy or federation.aggregation}"),
        (
            "backbone",
            f"{config.model.backbone}, {weights}, {parts.image_size} pixels, {parts.device}",
        ),
        ("activation", parts.activation),
        *(("weights", note) for note in parts.notes),
        ("data", f"{config.data.dataset}, {config.data.setting}, {config.data.partition}"),
        (
            "rounds",
            f"{parts.rounds}, {cohort} of {clients} clients in each, {clients_at_once} at once",
        ),
        ("prompt tensors", f"{parts.elements:,} numbers, {_size(parts.sent)}"),
        ("a round", f"{_size(cohort * parts.sent)} down at most"),
    ]
    for phase, size in parts.answered.items():
        of = f" ({phase} phase)" if len(parts.answered) > 1 else ""
        rows.append(("", f"{_size(cohort * size)} up{of}"))
    when = f"after rounds 0, every {config.evaluation.evaluate_every}, and the last"
    rows.append(("evaluation", f"{when}; {_attack(config)}"))
    for split in parts.setting.evaluations:
        words = f"{len(split.images):,} images, {len(split.task.class_names)} classes"
        rows.append((f"split {split.name}", words))
    if parts.local:
        images = sum(len(split.images) for split in parts.local)
        rows.append(("split local", f"{len(parts.local)} clients' own classes, {images:,} images"))
    rows.append(("run folder", _folder(config.run)))
    if config.run.metrics_port:
        rows.append(
            ("metrics", f"http://{config.run.metrics_host}:{config.run.metrics_port}/metrics")
        )
    rows += [("warning", warning) for warning in parts.warnings]
    for row in rows:
        table.add_row(*row)
    return table


def _size(number: int) -> str:
    """Bytes as people read them."""
    if number < 1000:
        return f"{number} bytes"
    return f"{number / 1e3:.1f} KB" if number < 1e6 else f"{number / 1e6:.1f} MB"


def _attack(config: RunConfig) -> str:
    if config.evaluation.robust_attack == "none":
        return "no attack"
    steps, epsilon = (
        config.evaluation.robust_steps,
        config.evaluation.robust_epsilon or config.attack.epsilon,
    )
    return f"{config.evaluation.robust_attack}, {steps} steps, epsilon {epsilon}"


def _folder(run: RunSection) -> str:
    folder = run_folder(run)
    if not holds_run(folder):
        return f"{folder} (new)"
    fate = "resumed" if run.resume else "replaced"
    return f"{folder} (holds {held_run(folder)}, which would be {fate})"
