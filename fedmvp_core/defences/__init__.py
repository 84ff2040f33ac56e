"""Test-time defences: what changes an image, or the model for it, before it is recognised.

A defence turns one function from images to features into another. Attacks go through it: they see
the defended function and nothing else.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import did_you_mean
from fedmvp_core.defences.rtpt import check_rtpt, rtpt
from fedmvp_core.defences.ttc import ttc
from fedmvp_core.errors import AttackError
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.tasks import EncodedTask

FeaturesOf: TypeAlias = Callable[[Tensor], Features]
# (backbone, images to features, task, draws) -> images to defended features
Defence: TypeAlias = Callable[[Backbone, FeaturesOf, EncodedTask, torch.Generator], FeaturesOf]

_DEFENCES = MappingProxyType({"ttc": ttc, "rtpt": rtpt})
DEFENCES = tuple(_DEFENCES)


def find_defence(name: str) -> Defence:
    """The defence of that name.

    Raises:
        AttackError: there is none.
    """
    if name not in _DEFENCES:
        raise AttackError(f"defence is '{name}'{did_you_mean(name, ['none', *DEFENCES])}")
    return _DEFENCES[name]


def check_defence(name: str, prompting: Prompting, multi_label: bool) -> None:
    """See that a defence fits a tuned model and its task.

    Raises:
        AttackError: it does not; the sentence says why.
    """
    if name == "rtpt":
        check_rtpt(prompting, multi_label)
