"""Every key of a run's configuration and what its value may be.

`pyproject.toml` ([tool.flwr.app.config]) says what they mean, beside their defaults. Keys are
kebab-case outside (`learning-rate`) and snake_case inside (`learning_rate`).
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Self

from fedmvp_core.config.values import Between, Epsilon, OneOf, Scalar
from fedmvp_core.registry import DATASETS, METHODS, PARTITIONS, SETTINGS, STRATEGIES

STRESS_ATTACKS = ("none", "sign-flip", "noise", "label-flip", "backdoor", "nan", "replay")
# Keys that say where a run leaves things, how it begins and is watched, not what it computes.
PLACES = (
    *("run-name", "output-dir", "cache-dir", "overwrite", "resume"),
    *("log-format", "metrics-port", "metrics-host"),
)
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
    metrics_port: Annotated[int, Between(0, 65535)]
    metrics_host: str
    seed: Annotated[int, Between(0)]


@dataclass(frozen=True)
class ModelSection:
    """The backbone, and the method that prompts it."""

    backbone: str
    pretrained: str
    precision: Annotated[str, OneOf(("fp32", "bf16"))]
    device: Annotated[str, OneOf(("auto", "cpu", "cuda"))]
    method: Annotated[str, OneOf(group=METHODS)]
    prompt_length: Annotated[int, Between(1, 64)]
    attention_heads: Annotated[int, Between(1, 64)]
    lora_rank: Annotated[int, Between(1, 1024)]
    lora_threshold: Annotated[float, Between(0)]
    prompt_init: Annotated[str, OneOf(("frozen", "random"))]
    lora_init: Annotated[str, OneOf(("zero", "normal"))]
    context_length: Annotated[int, Between(1, 64)]
    class_specific: bool
    deep_length: Annotated[int, Between(1, 64)]
    deep_depth: Annotated[int, Between(0)]
    coupling: Annotated[str, OneOf(("text-to-image", "image-to-text", "independent"))]
    coupled_prompts: bool
    pad_size: Annotated[int, Between(0)]


@dataclass(frozen=True)
class DataSection:
    """Pictures, sentences, the protocol, and how the pictures are cut into shards."""

    dataset: Annotated[str, OneOf(group=DATASETS, several=True)]
    data_dir: str
    decode_cache: bool
    on_bad_image: Annotated[str, OneOf(("error", "skip"))]
    template: str
    attribute_template: str
    attributes: str
    attribute_weight: Annotated[float, Between(0, 1)]
    setting: Annotated[str, OneOf(group=SETTINGS)]
    target_domain: str
    source_domain: str
    target_datasets: str
    label_split: str
    mask_rate: Annotated[float, Between(0, 0.999)]
    partition: Annotated[str, OneOf(group=PARTITIONS)]
    clients: Annotated[int, Between(0)]
    shots: Annotated[int, Between(0)]
    shot_sampling: Annotated[str, OneOf(("fedmvp", "coop"))]
    classes_per_client: Annotated[int, Between(1)]
    dirichlet_alpha: Annotated[float, Between(1e-3)]
    eval_split: Annotated[str, OneOf(("test", "validation"))]


@dataclass(frozen=True)
class TrainingSection:
    """Local training: steps, optimiser, loss."""

    local_epochs: Annotated[int, Between(1)]
    batch_size: Annotated[int, Between(1)]
    learning_rate: Annotated[float, Between(0)]
    momentum: Annotated[float, Between(0, 1)]
    weight_decay: Annotated[float, Between(0)]
    alpha: Annotated[float, Between(0)]
    multi_label_loss: Annotated[str, OneOf(("asl", "bce", "softmax"))]
    beta: Annotated[float, Between(0)]
    capt_weight: Annotated[float, Between(0)]
    alpha_cons: Annotated[str, OneOf(("constant", "ce-ratio", "confidence"))]
    alpha_cons_value: Annotated[float, Between(0, 1)]
    alpha_cons_per: Annotated[str, OneOf(("batch", "sample"))]


@dataclass(frozen=True)
class AttackSection:
    """The attack in training, L-infinity on pixels in [0, 1]."""

    epsilon: Annotated[str, Epsilon()]
    attack_steps: Annotated[int, Between(1)]
    attack_step_size: Annotated[str, Epsilon(optional=True)]
    attack_classes: Annotated[str, OneOf(("local", "global"))]
    attack_prompt: Annotated[str, OneOf(("on-the-fly", "constant", "perturbed"))]
    perturb_rate: Annotated[float, Between(0)]


@dataclass(frozen=True)
class EvaluationSection:
    """When the server tests, and the attack that it tests under."""

    evaluate_every: Annotated[int, Between(1)]
    fraction_evaluate: Annotated[float, Between(0, 1)]
    robust_attack: str
    robust_epsilon: Annotated[str, Epsilon(optional=True)]
    robust_steps: Annotated[int, Between(1)]
    robust_every: Annotated[int, Between(0)]
    robust_images: Annotated[int, Between(0)]


@dataclass(frozen=True)
class FederationSection:
    """Rounds, cohorts, aggregation, and what is made of missing replies."""

    strategy: Annotated[str, OneOf(group=STRATEGIES)]
    malicious_share: Annotated[float, Between(0, 0.499)]
    selected_clients: Annotated[int, Between(0)]
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


@dataclass(frozen=True)
class StressSection:
    """Clients that lie on purpose (docs/stress.md)."""

    stress_attack: Annotated[str, OneOf(STRESS_ATTACKS)]
    stress_fraction: Annotated[float, Between(0, 1)]
    stress_scale: Annotated[float, Between(0)]


@dataclass(frozen=True)
class PrivacySection:
    """What may leave a client, and differential privacy (docs/security.md)."""

    share_class_names: bool
    share_metrics: bool
    privacy: Annotated[str, OneOf(("none", "central", "local"))]
    clipping_norm: Annotated[float, Between(1e-6)]
    noise_multiplier: Annotated[float, Between(0.1)]
    dp_delta: Annotated[float, Between(1e-12, 0.1)]
    dp_noise: Annotated[str, OneOf(("system", "seeded"))]
    max_dp_epsilon: Annotated[float, Between(0)]


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


def kebab(name: str) -> str:
    """A field's name as a key."""
    return name.replace("_", "-")


def dataset_names(config: RunConfig) -> tuple[str, ...]:
    """The data sets of a run: one or, in a federation over several, more."""
    return tuple(config.data.dataset.split(","))
