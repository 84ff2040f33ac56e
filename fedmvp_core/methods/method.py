"""What a method is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.attack import TrainingAttack
from fedmvp_core.objectives import Objective
from fedmvp_core.prompting import Prompting
from fedmvp_core.registry import METHODS, find
from fedmvp_core.seeding import seeded_global_rng

ClassNames: TypeAlias = tuple[str, ...]


def _stay(phase: str, last_loss: float, config: RunConfig) -> str:
    return phase


def _as_it_is(prompting: Prompting, phase: str, config: RunConfig) -> None:
    return None


@dataclass(frozen=True)
class Method:
    """prompting + objective + what is sent; the phases matter to methods with a LoRA phase only.

    prompting: made from the backbone, the configuration and the names of all classes that the
        federation trains on, for modules with prompt tensors of a class's own.
    attack: makes the adversarial images of a step; None: the objective looks at clean images only.
    next_phase: phase of a client's next round from its phase and its last batch loss.
    begin_phase: called on the global prompt tensors before a client trains in a phase.
    """

    name: str
    paper: str
    prompting: Callable[[Backbone, RunConfig, ClassNames], Prompting]
    objective: Callable[[RunConfig], Objective] | None
    attack: Callable[[RunConfig], TrainingAttack] | None = None
    next_phase: Callable[[str, float, RunConfig], str] = _stay
    begin_phase: Callable[[Prompting, str, RunConfig], None] = _as_it_is

    def build_prompting(
        self, backbone: Backbone, config: RunConfig, class_names: ClassNames
    ) -> Prompting:
        """The untrained prompting module, the same wherever it is built from the same seed."""
        with seeded_global_rng(config.run.seed, "initial prompt tensors"):
            return self.prompting(backbone, config, class_names).to(backbone.device)


def find_method(config: RunConfig) -> Method:
    """The configured method.

    Raises:
        ConfigError: no such method is installed.
    """
    method: Method = find(METHODS, config.model.method)
    return method


def check_attackable(method: Method, shards: Sequence[Shard], config: RunConfig) -> None:
    """See before the first round that attacks in training have a class to lead to.

    Raises:
        ConfigError: they aim at a client's own classes, and a client holds only one.
    """
    if method.attack is None or config.attack.attack_classes != "local":
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
