"""What a saved run's model is without the run: what is exported, and what predicts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from fedmvp_core.backbone import Backbone, split_pretrained
from fedmvp_core.backbone.assets import EMBEDDED_WEIGHTS
from fedmvp_core.backbone.folders import HUB_PREFIX, is_folder
from fedmvp_core.config import ModelSection
from fedmvp_core.config.options import options_text
from fedmvp_core.config.words import kebab
from fedmvp_core.data.catalogue import attribute_template, class_template, class_words
from fedmvp_core.data.fingerprints import TRAIN
from fedmvp_core.data.pixels.pictures import load_picture
from fedmvp_core.errors import ConfigError
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.methods import find_method
from fedmvp_core.tasks import Task, Wording, encode_task
from fedmvp_core.tuned import Exported, TunedCLIP
from fedmvp_core.tuned.exported import LOCAL, BackboneFacts
from simulations.runner.saved_run import SavedRun


def tuned_model(saved: SavedRun) -> TunedCLIP:
    """The run's model, as its export will be."""
    return TunedCLIP(saved.backbone, saved.prompting, exported_of(saved), saved.cache)


def exported_of(saved: SavedRun) -> Exported:
    """What the file of the run's model says beside the tensors; no path of this machine."""
    config, federation = saved.config, saved.config.federation
    method = find_method(config)
    options = {kebab(name): value for name, value in vars(method.options).items()}
    return Exported(
        method=method.name,
        method_options=options_text(options),
        seed=config.run.seed,
        words=class_words(config.data, saved.classes[TRAIN]),
        known=_known_task(saved),
        backbone=_backbone_facts(saved.backbone, config.model),
        about={
            "run": config.run.run_name,
            "round": saved.round,
            "rounds": federation.rounds,
            "aggregation": federation.aggregation,
            "objective": method.objective.name if method.objective else "",
            "dataset": config.data.dataset,
            "setting": config.data.setting,
            "attributes": _unplaced(config.data.attributes),
            "privacy": config.privacy.privacy,
        },
    )


def _known_task(saved: SavedRun) -> Task:
    """The task of the run's classes, each as the split says it that has it first.

    Several data sets may be tested on, each with sentences of its own. The templates are those of
    the run's own data set, for classes that it does not know.
    """
    data, setting = saved.config.data, saved.setting
    tasks = [setting.make_task(saved.classes[TRAIN])]
    for evaluation in setting.evaluations:
        tested = saved.classes.get(evaluation.name, ())
        if set(tested) <= set(evaluation.task.class_names):
            tasks.append(evaluation.task)
    run_knows = {name for names in saved.classes.values() for name in names}
    found: dict[str, tuple[tuple[str, ...], Wording]] = {}
    for task in tasks:
        for label, name in enumerate(task.class_names):
            if name in run_knows and name not in found:
                found[name] = task.attributes[label], task.wording(label)
    bare = dataclasses.replace(
        tasks[0],
        class_names=tuple(found),
        attributes=tuple(phrases for phrases, _ in found.values()),
        template=class_template(data),
        attribute_template=attribute_template(data),
        wordings=(),
    )
    wordings = tuple(wording for _, wording in found.values())
    plain = all(bare.wording(label) == own for label, own in enumerate(wordings))
    return bare if plain else dataclasses.replace(bare, wordings=wordings)


def _backbone_facts(backbone: Backbone, model: ModelSection) -> BackboneFacts:
    base, tower = split_pretrained(model.pretrained)
    is_own = Path(base).is_file() or "/" in base
    pretrained = model.pretrained
    if pretrained not in ("", *EMBEDDED_WEIGHTS) and (is_own or tower):
        parts = (Path(part).name for part in (base, tower) if part)
        pretrained = LOCAL + "+".join(parts)
    config, name = backbone.config, model.backbone
    if is_folder(name) and not name.startswith(HUB_PREFIX):
        name = LOCAL + Path(name).name
    return BackboneFacts(
        name=name,
        pretrained=pretrained,
        weights_hash=backbone.weights_hash,
        image_size=backbone.image_size,
        architecture=config.architecture,
        mean=tuple(config.mean),
        std=tuple(config.std),
    )


def _unplaced(attributes: str) -> str:
    return f"{LOCAL}{Path(attributes).name}" if "/" in attributes else attributes


def class_names_of(saved: SavedRun, classes: str) -> tuple[str, ...]:
    """Class names for a choice: a split's name ("base"), "all", or a list with commas.

    Raises:
        ConfigError: no class is named.
    """
    names_now = [evaluation.name for evaluation in saved.setting.evaluations]
    splits = {name: saved.classes[name] for name in names_now if name in saved.classes}
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
        ConfigError: no class is named, or one twice.
        DataError: a file is no picture.
    """
    names = class_names_of(saved, classes)
    model = tuned_model(saved)
    images = torch.stack([load_picture(path, saved.backbone.image_size) for path in paths])
    if not zero_shot:
        return names, model.probabilities(images, names)
    task = encode_task(saved.backbone, model.exported.task_of(names), saved.cache)
    return names, predict_probabilities(saved.backbone, None, task, images)
