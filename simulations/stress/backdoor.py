"""How many marked images a run takes for the backdoor's target."""

from pathlib import Path

import torch

from client_app.liars.trigger import trigger_of
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.tasks import encode_task
from simulations.runner.planning import Plan
from simulations.runner.saved_run import load_saved_run


def backdoor_success(plan: Plan, folder: Path) -> float:
    """The share of the test images of other classes, marked, that are taken for the first class.

    plan: of the run with the backdoor, whose trigger it is. folder: of the run whose prompts are
    asked: the same, or one without liars.

    Raises:
        CheckpointError: the folder holds no usable run.
    """
    saved = load_saved_run(folder)
    split, class_names = saved.setting.evaluations[0], saved.setting.train.class_names
    target = split.task.class_names.index(class_names[0])
    others = torch.nonzero(split.images.labels != target).flatten()
    size = saved.backbone.image_size
    trigger = trigger_of(plan.config, plan.supernodes, tuple(class_names), size)
    pictures = trigger.on(split.images.images[others])
    task = encode_task(saved.backbone, split.task, saved.cache)
    found = predict_probabilities(saved.backbone, saved.prompting, task, pictures)
    return float((found.argmax(dim=1) == target).double().mean())
