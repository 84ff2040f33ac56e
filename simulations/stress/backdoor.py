"""Whether a backdoor opens: marked test images that the tuned model takes for the target class."""

from pathlib import Path

import torch

from client_app.liars import stamped
from fedmvp_core.evaluation import predict_probabilities
from fedmvp_core.tasks import encode_task
from simulations.runner.saved_run import load_saved_run


def backdoor_success(folder: Path) -> float:
    """The share of the test images of other classes, marked, that are taken for the first class.

    Raises:
        CheckpointError: the folder holds no usable run.
    """
    saved = load_saved_run(folder)
    split = saved.setting.evaluations[0]
    target = split.task.class_names.index(saved.setting.train.class_names[0])
    others = torch.nonzero(split.images.labels != target).flatten()
    pictures = stamped(split.images.images[others])
    task = encode_task(saved.backbone, split.task, saved.cache)
    found = predict_probabilities(saved.backbone, saved.prompting, task, pictures)
    return float((found.argmax(dim=1) == target).double().mean())
