"""A finished run, loaded again: its configuration, backbone and tuned prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.catalogue import attribute_template, class_template
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.data.settings import Setting
from fedmvp_core.errors import CheckpointError, ConfigError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.exchange import kept_by_clients, prompt_part, travelling_tensors
from fedmvp_core.json_logs import logger
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.run_folder import CHECKPOINTS, CONFIG
from fedmvp_core.tasks import Task, encode_task
from fedmvp_core.terms import configured_terms
from fedmvp_core.workspace import open_workspace
from server_app.aggregation import asked_terms
from server_app.records.checkpoints import latest_round, load_checkpoint
from simulations.runner.project import default_config


@dataclass(frozen=True)
class SavedRun:
    """prompting holds the prompt tensors of the loaded round."""

    folder: Path
    config: RunConfig
    round: int
    backbone: Backbone
    prompting: Prompting
    setting: Setting
    cache: FeatureCache


def load_saved_run(folder: Path, device: str = "cpu", round: int | None = None) -> SavedRun:
    """Load a run's prompt tensors, of the last round unless another is named.

    Raises:
        CheckpointError: the folder holds no run, or no usable checkpoint of that round.
    """
    config = read_config(folder)
    checkpoints = folder / CHECKPOINTS
    wanted = latest_round(checkpoints) if round is None else round
    if wanted is None:
        raise CheckpointError(f"'{folder}' holds no checkpoint")
    opened = open_workspace(config, device, "fp32")
    method = find_method(config)
    prompting = method.build_prompting(opened.backbone, opened.setting.train.class_names)
    if note := kept_by_clients(prompting, config):
        logger.warning("%s", note)
    schema = travelling_tensors(prompting, configured_terms(asked_terms(config, method)))
    loaded = load_checkpoint(checkpoints, wanted, schema)
    prompting.load_prompt_tensors(prompt_part(loaded, prompting))
    return SavedRun(
        folder=folder,
        config=config,
        round=wanted,
        backbone=opened.backbone,
        prompting=prompting.eval(),
        setting=opened.setting,
        cache=opened.cache,
    )


def read_config(folder: Path) -> RunConfig:
    """The configuration that a run was made with; keys that are younger than it have defaults.

    Raises:
        CheckpointError: the folder holds no run, or one with other keys or plugins than ours.
    """
    path = folder / CONFIG
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"'{folder}' is no run folder: {error}") from error
    if not isinstance(saved, dict) or not saved:
        raise CheckpointError(f"'{path}' holds no run-config keys")
    try:
        return parse_config({**default_config(), **saved})
    except ConfigError as error:
        raise CheckpointError(
            f"'{path}' is of another version or lacks a plugin: {error}"
        ) from None


def class_names_of(saved: SavedRun, classes: str) -> tuple[str, ...]:
    """Class names for a choice: a split's name ("base"), "all", or a list with commas.

    Raises:
        ConfigError: no class is named.
    """
    splits = {
        evaluation.name: evaluation.task.class_names for evaluation in saved.setting.evaluations
    }
    if classes in splits:
        return splits[classes]
    if classes == "all":
        return tuple(sorted({name for names in splits.values() for name in names}))
    names = tuple(name.strip() for name in classes.split(",") if name.strip())
    if not names:
        raise ConfigError(
            f"classes is '{classes}'; allowed: {', '.join(splits)}, all, or class names"
        )
    return names


def predict_pictures(
    saved: SavedRun, paths: Sequence[Path], classes: str = "all", zero_shot: bool = False
) -> tuple[tuple[str, ...], torch.Tensor]:
    """Class names, and class probabilities of picture files: (pictures, classes).

    Classes that the run's data set does not know are classified by their names alone.

    Raises:
        DataError: a file is no picture.
    """
    names = class_names_of(saved, classes)
    images = torch.stack([load_picture(path, saved.backbone.image_size) for path in paths])
    known = {name for e in saved.setting.evaluations for name in e.task.class_names}
    if set(names) <= known:
        task = saved.setting.make_task(names)
    else:
        bare: tuple[tuple[str, ...], ...] = tuple(() for _ in names)
        data = saved.config.data
        task = Task(names, bare, class_template(data), attribute_template(data))
    encoded = encode_task(saved.backbone, task, saved.cache)
    prompting = None if zero_shot else saved.prompting
    return names, predict_probabilities(saved.backbone, prompting, encoded, images)
