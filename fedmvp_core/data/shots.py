"""A few images of each class: drawn within a client (FedMVP), or in the whole data set (CoOp)."""

import dataclasses
import random

import torch
from torch import Tensor

from fedmvp_core.data.image_set import Dataset, ImageSet
from fedmvp_core.seeding import generator

VALIDATION_SHOTS = 4  # CoOp's limit


def draw_shots(images: ImageSet, shots: int, seed: int, partition_id: int) -> ImageSet:
    """At most `shots` images of each class that a client holds, drawn by seed; 0 keeps all.

    FedTPG's and FedMVP's rule: by class, within the client, validation images untouched. (Each of
    our clients draws by itself; theirs all draw from the same seed.)
    """
    if shots == 0:
        return images
    draw = generator(seed, "few-shot", partition_id=partition_id)
    kept = []
    for label in images.labels.unique():
        members = torch.nonzero(images.labels == label).flatten()
        kept.append(members[torch.randperm(len(members), generator=draw)[:shots]])
    return images.select(torch.cat(kept).sort().values)


def draw_coop_shots(dataset: Dataset, shots: int, seed: int) -> Dataset:
    """At most `shots` training images of each class of the data set, and up to 4 for validation.

    CoOp's rule, before classes are cut into base and new: Python's `random`, seeded once, draws a
    sample of each class in the order in which the classes first appear among the training images,
    then of each among the validation images. So the images of split_zhou_*.json are those that CoOp
    draws from the same files with the same seed. 0 keeps all.
    """
    if shots == 0:
        return dataset
    draw = random.Random(seed)
    train = dataset.train.select(_sampled(dataset.train.labels, shots, draw))
    few = min(shots, VALIDATION_SHOTS)
    validation = dataset.validation.select(_sampled(dataset.validation.labels, few, draw))
    return dataclasses.replace(dataset, train=train, validation=validation)


def _sampled(labels: Tensor, shots: int, draw: random.Random) -> Tensor:
    """Sorted positions of at most `shots` of each label; (n,) -> (k,) int64."""
    members: dict[int, list[int]] = {}
    for position, label in enumerate(labels.tolist()):
        members.setdefault(label, []).append(position)
    kept = [
        position
        for group in members.values()
        for position in (draw.sample(group, shots) if len(group) >= shots else group)
    ]
    return torch.tensor(sorted(kept), dtype=torch.int64)
