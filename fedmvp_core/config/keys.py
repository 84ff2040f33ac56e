"""Every key of a run's configuration and what its value may be.

`pyproject.toml` ([tool.flwr.app.config]) says what they mean, beside their defaults. Keys are
kebab-case outside (`learning-rate`) and snake_case inside (`learning_rate`).
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Self

from fedmvp_core.config.values import Between, Epsilon, OneOf, Scalar
from fedmvp_core.config.words import kebab
from fedmvp_core.registry import (
    AGGREGATIONS,
    ATTACKS,
    CALLBACKS,
    DATASETS,
    METHODS,
    METRICS,
    OBJECTIVES,
    PARTITIONS,
    SETTINGS,
    STRATEGIES,
)

# Of liars who know what each of them would have sent; those of FEWEST_LIARS take a spread of it.
COLLUSIONS = ("lie", "min-max", "min-sum", "ipm", "sybils")
FEWEST_LIARS = {"lie": 2, "min-max": 2, "min-sum": 2}
LEARNED_BACKDOORS = ("backdoor-patch", "backdoor-blended", "backdoor-clean-label")
STRESS_ATTACKS = (
    *("none", "sign-flip", "noise", "label-flip", "backdoor", "nan", "replay"),
    *COLLUSIONS,
    *LEARNED_BACKDOORS,
)
# Where a run's numbers may be logged: each is a callback, a package and an extra of that name.
LOGGERS = ("tensorboard", "wandb", "mlflow", "trackio")
ABOUT_DATA = ("label-flip", "backdoor")  # what a liar trains on; the others change its reply
# Keys that say where a run leaves things, how it begins and is watched, not what it computes.
PLACES = (
    *("run-name", "output-dir", "cache-dir", "overwrite", "resume"),
    *("log-format", "log-to", "metrics-port", "metrics-host", "callbacks", "callback-options"),
)
OURS, PUBLISHED = "ours", "published"  # whose values a run begins with: methods/published.py
FLOAT32 = "float32"  # of wire-dtype: tensors travel as they are
WIRE_DTYPES = (FLOAT32, "float16", "bfloat16", "int8")
SEVERAL_DATASETS = ("base-to-new", "few-shot")  # settings that may be of several data sets at once
BY_DOMAIN = ("by-domain", "by-domain-and-class")


@dataclass(frozen=True)
class RunSection:
    """Where a run leaves things, how it begins and is watched, and its seed."""

    run_name: str
    output_dir: str
    cache_dir: str
    overwrite: bool
    resume: Annotated[str, OneOf(("", "latest"))]
    log_format: Annotated[str, OneOf(("text", "json"))]
    log_to: Annotated[str, OneOf(("", *LOGGERS), several=True)]
    metrics_port: Annotated[int, Between(0, 65535)]
    metrics_host: str
    callbacks: Annotated[str, OneOf(("",), group=CALLBACKS, several=True)]
    callback_options: str
    seed: Annotated[int, Between(0)]


@dataclass(frozen=True)
class ModelSection:
    """The backbone, the method that prompts it, and whose values the run began with."""

    backbone: str
    pretrained: str
    precision: Annotated[str, OneOf(("fp32", "bf16"))]
    device: Annotated[str, OneOf(("auto", "cpu", "cuda"))]
    compile: Annotated[str, OneOf(("false", "true", "auto"))]
    activation_checkpointing: bool
    protocol: Annotated[str, OneOf((OURS, PUBLISHED))]
    method: Annotated[str, OneOf(group=METHODS)]
    method_options: str
    objective: Annotated[str, OneOf(("",), group=OBJECTIVES)]
    objective_options: str


@dataclass(frozen=True)
class DataSection:
    """Pictures, sentences, the protocol, and how the pictures are cut into shards."""

    dataset: Annotated[str, OneOf(group=DATASETS, several=True)]
    dataset_options: str
    data_dir: str
    decode_cache: bool
    on_bad_image: Annotated[str, OneOf(("error", "skip"))]
    allow_leaks: bool
    merge_spellings: bool
    template: str
    attribute_template: str
    attributes: str
    attribute_weight: Annotated[float, Between(0, 1)]
    setting: Annotated[str, OneOf(group=SETTINGS)]
    setting_options: str
    mask_rate: Annotated[float, Between(0, 0.999)]
    partition: Annotated[str, OneOf(group=PARTITIONS)]
    partition_options: str
    clients: Annotated[int, Between(0)]
    shots: Annotated[int, Between(0)]
    shot_sampling: Annotated[str, OneOf(("fedmvp", "coop"))]
    eval_split: Annotated[str, OneOf(("test", "validation"))]


@dataclass(frozen=True)
class TrainingSection:
    """Local training: steps, optimiser, loss."""

    local_epochs: Annotated[int, Between(1)]
    batch_size: Annotated[int, Between(1)]
    learning_rate: Annotated[float, Between(0)]
    momentum: Annotated[float, Between(0, 1)]
    weight_decay: Annotated[float, Between(0)]
    keep_momentum: bool
    warmup_rounds: Annotated[int, Between(0)]
    warmup_rate: Annotated[float, Between(0)]
    multi_label_loss: Annotated[str, OneOf(("asl", "bce", "softmax"))]
    augmentation: Annotated[str, OneOf(("none", "crops"))]
    cached_views: Annotated[int, Between(0)]


@dataclass(frozen=True)
class AttackSection:
    """The attack in training, L-infinity on pixels in [0, 1]."""

    epsilon: Annotated[str, Epsilon()]
    attack_steps: Annotated[int, Between(1)]
    attack_step_size: Annotated[str, Epsilon(optional=True)]
    attack_classes: Annotated[str, OneOf(("local", "global"))]


@dataclass(frozen=True)
class EvaluationSection:
    """When the server tests, and the attack that it tests under."""

    evaluate_every: Annotated[int, Between(1)]
    metrics: Annotated[str, OneOf(("",), group=METRICS, several=True)]
    fraction_evaluate: Annotated[float, Between(0, 1)]
    robust_attack: Annotated[str, OneOf(("none",), group=ATTACKS)]
    robust_epsilon: Annotated[str, Epsilon(optional=True)]
    robust_steps: Annotated[int, Between(1)]
    robust_every: Annotated[int, Between(0)]
    robust_images: Annotated[int, Between(0)]
    robust_last_images: Annotated[int, Between(0)]


@dataclass(frozen=True)
class FederationSection:
    """Rounds, cohorts, aggregation, and what is made of missing replies."""

    aggregation: Annotated[str, OneOf(group=AGGREGATIONS)]
    aggregation_options: str
    strategy: Annotated[str, OneOf(("",), group=STRATEGIES)]
    strategy_options: str
    weighting: Annotated[str, OneOf(("uniform", "examples"))]
    rounds: Annotated[int, Between(0)]
    fraction_train: Annotated[float, Between(0, 1)]
    node_timeout: Annotated[float, Between(1)]
    start_clients: Annotated[int, Between(0)]
    round_timeout: Annotated[float, Between(1)]
    min_clients: Annotated[int, Between(1)]
    on_too_few: Annotated[str, OneOf(("stop", "repeat"))]
    round_retries: Annotated[int, Between(1)]
    max_update_norm: Annotated[float, Between(0)]
    max_examples: Annotated[int, Between(0)]
    wire_dtype: Annotated[str, OneOf(WIRE_DTYPES)]
    clients_per_batch: Annotated[int, Between(1)]


@dataclass(frozen=True)
class StressSection:
    """Clients that lie on purpose (docs/stress.md)."""

    stress_attack: Annotated[str, OneOf(STRESS_ATTACKS)]
    stress_fraction: Annotated[float, Between(0, 1)]
    stress_scale: Annotated[float, Between(0)]

    def liars(self, clients: int) -> int:
        """How many of so many clients lie: stress-fraction of them, rounded."""
        return 0 if self.stress_attack == "none" else int(self.stress_fraction * clients + 0.5)


@dataclass(frozen=True)
class PrivacySection:
    """What may leave a client, differential privacy, secure aggregation (docs/security.md)."""

    share_class_names: bool
    share_metrics: bool
    privacy: Annotated[str, OneOf(("none", "central", "local"))]
    clipping_norm: Annotated[float, Between(1e-6)]
    noise_multiplier: Annotated[float, Between(0.1)]
    dp_delta: Annotated[float, Between(1e-12, 0.1)]
    dp_noise: Annotated[str, OneOf(("system", "seeded"))]
    max_dp_epsilon: Annotated[float, Between(0)]
    secure_aggregation: bool
    secagg_shares: Annotated[int, Between(0)]
    secagg_threshold: Annotated[int, Between(0)]


@dataclass(frozen=True)
class RunConfig:
    """A run's configuration in sections; outside, its keys are flat."""

    run: RunSection
    model: ModelSection
    data: DataSection
    training: TrainingSection
    attack: AttackSection
    evaluation: EvaluationSection
    federation: FederationSection
    stress: StressSection
    privacy: PrivacySection

    def with_values(self, **changes: Scalar) -> Self:
        """A copy with other values, by field names of any section; nothing is checked anew."""
        left = dict(changes)
        sections = {}
        for name, section in vars(self).items():
            own = {key: left.pop(key) for key in changes if hasattr(section, key)}
            sections[name] = dataclasses.replace(section, **own)
        if left:
            raise TypeError(f"a run's configuration has no field {', '.join(left)}")
        return dataclasses.replace(self, **sections)

    def as_mapping(self) -> dict[str, Scalar]:
        """Kebab-case keys and plain values, as they travel and as config.json holds them."""
        return {
            kebab(name): value
            for section in dataclasses.asdict(self).values()
            for name, value in section.items()
        }


def dataset_names(data: DataSection) -> tuple[str, ...]:
    """The data sets of a run: one or, in a federation over several, more."""
    return tuple(data.dataset.split(","))
