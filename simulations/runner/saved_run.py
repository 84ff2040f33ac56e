"""A finished run, loaded again: its configuration, backbone and tuned prompts."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.fingerprints import (
    TRAIN,
    Fingerprint,
    changes,
    fingerprints,
    read_fingerprints,
    sentence,
)
from fedmvp_core.data.settings import Setting
from fedmvp_core.errors import CheckpointError
from fedmvp_core.exchange import kept_by_clients, prompt_part, travelling_tensors
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.run_folder import CHECKPOINTS, SPLITS, no_fingerprint
from fedmvp_core.terms import configured_terms
from fedmvp_core.workspace import open_workspace
from server_app.aggregation import asked_terms
from server_app.records.checkpoints import latest_round, load_checkpoint
from simulations.runner.errors import OtherPicturesError
from simulations.runner.results import read_config

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedRun:
    """prompting holds the prompt tensors of the loaded round.

    classes: the class names of each split when the run was made; a grown folder may have more.
    changed: split -> what differs between its pictures now and then.
    """

    folder: Path
    config: RunConfig
    round: int
    backbone: Backbone
    prompting: Prompting
    setting: Setting
    cache: FeatureCache
    classes: Mapping[str, tuple[str, ...]]
    changed: Mapping[str, str]


def load_saved_run(
    folder: Path, device: str = "cpu", round: int | None = None, data_dir: Path | None = None
) -> SavedRun:
    """Load a run's prompt tensors, of the last round unless another is named.

    data_dir: where the run's pictures are now, if they were moved.

    Raises:
        CheckpointError: the folder holds no run, or no usable checkpoint of that round.
        OtherPicturesError: the pictures are gone, or all those of a class.
    """
    config = _placed(read_config(folder), data_dir)
    checkpoints = folder / CHECKPOINTS
    wanted = latest_round(checkpoints) if round is None else round
    if wanted is None:
        raise CheckpointError(f"'{folder}' holds no checkpoint")
    opened = open_workspace(config, device, "fp32")
    classes, changed = _compared(folder, opened.setting, config.data.data_dir)
    method = find_method(config)
    prompting = method.build_prompting(opened.backbone, classes[TRAIN])
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
        classes=classes,
        changed=changed,
    )


def _placed(config: RunConfig, data_dir: Path | None) -> RunConfig:
    """The configuration with the place of the pictures now.

    Raises:
        OtherPicturesError: they are not there.
    """
    given = str(data_dir.expanduser().absolute()) if data_dir else config.data.data_dir
    if given and not Path(given).is_dir():
        hint = "" if data_dir else "; if it was moved, give its new place: --data-dir DIR"
        raise OtherPicturesError(f"data-dir is '{given}'; there is no such folder{hint}")
    return config.with_values(data_dir=given)


def _compared(
    folder: Path, setting: Setting, place: str
) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, str]]:
    """The classes of the run's splits, and what differs between the splits now and then.

    Raises:
        OtherPicturesError: classes that the run knows are gone.
    """
    now = fingerprints(setting)
    before: Mapping[str, Fingerprint] = read_fingerprints(folder / SPLITS)
    if not before:
        logger.warning("%s", no_fingerprint(folder))
        before = now
    changed = changes(before, now)
    classes = {split: tuple(then["classes"]) for split, then in before.items()}
    there = {name for split in now.values() for name in split["classes"]}
    if not there.issuperset(name for names in classes.values() for name in names):
        raise OtherPicturesError(
            f"the pictures in '{place}' are not those of the run: {sentence(changed)}; give the "
            "place of the others: --data-dir DIR"
        )
    return classes, changed


def told(saved: SavedRun, splits: Collection[str] | None = None) -> str:
    """A sentence on what differs in these splits (None: in any), or "" if nothing does."""
    found = {s: what for s, what in saved.changed.items() if splits is None or s in splits}
    place = saved.config.data.data_dir or saved.config.data.dataset
    return f"the pictures in '{place}' are not those of the run: {sentence(found)}" if found else ""
