"""Whether clients of a method can share a batch, tried before a run counts on it."""

from functools import partial

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError, LockstepError
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.lockstep.jobs import play, taking_part
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.training import train_locally
from simulations.plugins.examples import CLASSES, example_shard, random_backbone


def check_sharing(config: RunConfig) -> None:
    """Raises ConfigError, with the method's and the objective's name, if clients cannot share."""
    method = find_method(config)
    if config.federation.clients_per_batch == 1 or not method.trains:
        return
    small = config.with_values(
        local_epochs=1, attack_steps=1, augmentation="none", cached_views=0, device="cpu"
    )
    try:
        backbone = random_backbone()
        train_two(find_method(small), backbone, example_shard(backbone), small)
    except LockstepError as error:
        assert method.objective is not None
        raise ConfigError(
            f"clients-per-batch is {config.federation.clients_per_batch}, but clients of method "
            f"'{method.name}' with objective '{method.objective.name}' cannot share one: {error}"
        ) from error
    except Exception:
        return  # of what a small client cannot do, such as deep prompts, this check says nothing


def train_two(
    method: ConfiguredMethod, backbone: Backbone, shard: PreparedShard, config: RunConfig
) -> None:
    """Train two clients in lock step, in each phase.

    Raises:
        LockstepError: they cannot.
    """

    def client(phase: str) -> None:
        prompting = method.build_prompting(backbone, CLASSES)
        round = LocalRound(phase=phase, received=prompting.prompt_tensors())
        with taking_part():
            train_locally(backbone, prompting, method, shard, config, round)

    for phase in method.phases:
        play([partial(client, phase)] * 2)
