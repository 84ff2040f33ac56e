"""What the public codes of families of methods share, for `Method.published`.

APT's and FAP's were trained on one machine: an epoch there is a round here, and one optimiser lives
through all of them. Nothing is set that the codes were not seen to have.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fedmvp_core.config import Scalar

ONE_MACHINE: Mapping[str, Scalar] = MappingProxyType(
    {"local-epochs": 1, "keep-momentum": True, "robust-attack": "pgd", "robust-steps": 100}
)
# CoOp's transforms of pictures in training, which the codes built upon it have too.
COOP_PICTURES: Mapping[str, Scalar] = MappingProxyType({"augmentation": "crops", "cached-views": 0})
# APT: PGD-3 with a step of two thirds of epsilon, which "" stands for.
APT_ATTACK: Mapping[str, Scalar] = MappingProxyType(
    {**ONE_MACHINE, **COOP_PICTURES, "attack-steps": 3, "attack-step-size": ""}
)
# FAP and its baselines: PGD-2 of 1/255 within 1/255, 16 shots, 10 epochs.
FAP_SCHEDULE: Mapping[str, Scalar] = MappingProxyType(
    {
        **ONE_MACHINE,
        "rounds": 10,
        "warmup-rounds": 0,
        "shots": 16,
        "shot-sampling": "coop",
        "epsilon": "1/255",
        "attack-steps": 2,
        "attack-step-size": "1/255",
    }
)
# Of those with deep prompts in both encoders.
FAP_DEEP: Mapping[str, Scalar] = MappingProxyType(
    {
        **FAP_SCHEDULE,
        "learning-rate": 0.0035,
        "batch-size": 4,
        "augmentation": "none",
        "method.deep-length": 2,
        "method.deep-depth": 0,
        "method.prompt-init": "random",
    }
)
# FedTPG's public code, in which its baselines are trained too: 8 shots, 500 rounds of one epoch.
FEDTPG: Mapping[str, Scalar] = MappingProxyType(
    {
        "rounds": 500,
        "local-epochs": 1,
        "learning-rate": 0.003,
        "momentum": 0.9,
        "weight-decay": 1e-5,
        "batch-size": 200,
        "augmentation": "none",
        "shots": 8,
        "weighting": "uniform",
    }
)
