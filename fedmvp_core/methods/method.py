"""What a method is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig, Scalar
from fedmvp_core.config.options import NoOptions, options_type, parse_options
from fedmvp_core.data.catalogue import ClassWords, class_words
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.attack import (
    AdjustLogits,
    TextForAttack,
    TrainingAttack,
    as_they_are,
    pgd_attack,
    tuned_text,
)
from fedmvp_core.methods.fit import check_labels, check_served
from fedmvp_core.objectives import LossFunction, Objective
from fedmvp_core.prompting import FULL, Prompting
from fedmvp_core.registry import METHODS, OBJECTIVES, PROMPTING, find
from fedmvp_core.seeding import seeded_global_rng
from fedmvp_core.terms import TermText

# (backbone, options of the method, the classes that the federation trains on) -> untrained module.
BuildPrompting: TypeAlias = Callable[[Backbone, Any, ClassWords], Prompting]


def _one_phase(options: Any) -> tuple[str, ...]:
    return (FULL,)


def _stay(phase: str, last_loss: float, options: Any) -> str:
    return phase


def _as_it_is(prompting: Prompting, phase: str, options: Any, seed: int) -> None:
    return None


def _fits(options: Any, config: RunConfig) -> None:
    return None


def _nothing_public() -> Mapping[str, Scalar]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Method:
    """A prompting module, a default objective, options and phases, under the paper's name.

    prompting: the name of a module (fedmvp.prompting), or what builds one.
    objective: the name of the default objective (fedmvp.objectives); None: nothing is trained.
    options: the options class.
    phases: options -> stages in which a part of the tensors is trained and sent, see
        Prompting.phase_tensors; a client begins in the first.
    next_phase: phase of a client's next round from its phase, its last batch loss and the options.
    begin_phase: called on the received prompt tensors before a client trains in a phase, with the
        options and the run's seed.
    attack_text: the class features that an attack in training looks at; None: the tuned ones.
    term: a client term that the method asks for: its name and its options.
    check: raises ConfigError when the options do not fit the run's configuration.
    published: what the paper and its code have for run-config keys and for options such as
        "method.prompt-init", as far as they are known; {}: nothing is. See published.py.
    reads_attributes: whether a class is recognised by its attribute sentences, or prompts are made
        of them.
    """

    name: str
    paper: str
    prompting: str | BuildPrompting
    objective: str | None
    options: type = NoOptions
    phases: Callable[[Any], tuple[str, ...]] = _one_phase
    next_phase: Callable[[str, float, Any], str] = _stay
    begin_phase: Callable[[Prompting, str, Any, int], None] = _as_it_is
    attack_text: Callable[[Any], TextForAttack] | None = None
    term: TermText | None = None
    check: Callable[[Any, RunConfig], None] = _fits
    published: Mapping[str, Scalar] = field(default_factory=_nothing_public, hash=False)
    reads_attributes: bool = True

    def build(self) -> BuildPrompting:
        """What makes the untrained prompting module."""
        if not isinstance(self.prompting, str):
            return self.prompting
        build: BuildPrompting = find(PROMPTING, self.prompting)
        return build


class ConfiguredMethod:
    """A method as a run's configuration has it: with its options, objective and attack.

    Raises:
        ConfigError: the method or the objective is not installed, an option is not what it may be,
            or does not fit the rest of the configuration.
    """

    def __init__(self, config: RunConfig) -> None:
        method: Method = find(METHODS, config.model.method)
        self.method, self.name = method, method.name
        owner = f"method '{method.name}'"
        self.options: Any = parse_options(owner, options_type(method), config.model.method_options)
        self.phases = method.phases(self.options)
        method.check(self.options, config)
        self._config = config
        self.objective = _objective(method, config)

    @property
    def trains(self) -> bool:
        """Whether there is anything to train."""
        return self.objective is not None

    def build_prompting(self, backbone: Backbone, class_names: tuple[str, ...]) -> Prompting:
        """The untrained prompting module, the same wherever it is built from the same seed.

        Raises:
            ConfigError: the module cannot be built, or cannot serve the configured objective.
        """
        words = class_words(self._config.data, class_names)
        seed = self._config.run.seed
        prompting = untrained_prompting(backbone, self.method, self.options, words, seed)
        if self.objective is not None:
            check_served(self.objective, self.name, prompting)
        return prompting

    def loss(self) -> LossFunction:
        """What a client minimises."""
        if self.objective is None:
            raise ConfigError(f"method '{self.name}' trains nothing, so it has no objective")
        return self.objective.loss(self._objective_options(self.objective))

    def attack(self) -> TrainingAttack | None:
        """What makes the adversarial images of a step; None: the objective looks at clean ones."""
        if self.objective is None or self.objective.attack is None:
            return None
        made = self.method.attack_text
        text = tuned_text if made is None else made(self.options)
        adjust = self.objective.adjust
        adjusted: AdjustLogits = as_they_are
        if adjust is not None:
            adjusted = partial(adjust, self._objective_options(self.objective))
        return pgd_attack(self._config.attack, self.objective.attack, text, adjusted)

    def _objective_options(self, objective: Objective) -> Any:
        owner, text = f"objective '{objective.name}'", self._config.model.objective_options
        return parse_options(owner, options_type(objective), text)

    def next_phase(self, phase: str, last_loss: float) -> str:
        """The phase of a client's next round."""
        return self.method.next_phase(phase, last_loss, self.options)

    def begin_phase(self, prompting: Prompting, phase: str) -> None:
        """Change the received prompt tensors as the phase's beginning asks."""
        self.method.begin_phase(prompting, phase, self.options, self._config.run.seed)


def untrained_prompting(
    backbone: Backbone, method: Method, options: Any, words: ClassWords, seed: int
) -> Prompting:
    """The prompting module as it begins, on the backbone's device; a seed makes the same numbers.

    Raises:
        ConfigError: the module cannot be built.
    """
    with seeded_global_rng(seed, "initial prompt tensors"):
        return method.build()(backbone, options, words).to(backbone.device)


def _objective(method: Method, config: RunConfig) -> Objective | None:
    if method.objective is None:
        if config.model.objective:
            raise ConfigError(
                f"objective is '{config.model.objective}', but method '{method.name}' trains "
                "nothing; allowed with it: ''"
            )
        return None
    objective: Objective = find(OBJECTIVES, config.model.objective or method.objective)
    return objective


def find_method(config: RunConfig) -> ConfiguredMethod:
    """The configured method; raises ConfigError as ConfiguredMethod does."""
    return ConfiguredMethod(config)


def check_attackable(method: ConfiguredMethod, shards: Sequence[Shard], config: RunConfig) -> None:
    """See before the first round that the objective and its attack make sense on the shards.

    Raises:
        ConfigError: images have several labels, of which the objective has no form; or attacks aim
            at a client's own classes, and a client holds only one.
    """
    objective = method.objective
    if objective is None:
        return
    check_labels(objective, any(shard.task.multi_label for shard in shards))
    if objective.attack is None or config.attack.attack_classes != "local":
        return
    for shard in shards:
        names = shard.task.class_names
        if len(names) == 1 and not shard.images.multi_label:
            raise ConfigError(
                f"client {shard.partition_id} holds one class, '{names[0]}', but method "
                f"'{method.name}' trains on attacks, which need another one to lead to; allowed: "
                "fewer clients, a partition that mixes classes (iid, dirichlet), or "
                "attack-classes=global"
            )
