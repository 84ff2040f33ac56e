"""What one client of a run costs: its local steps are played in this process and measured."""

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.settings import Setting
from fedmvp_core.data.shards import Shard, make_shards
from fedmvp_core.errors import ConfigError
from fedmvp_core.exchange import sent_in, travelling_tensors
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.lockstep.jobs import play as play_together
from fedmvp_core.methods import ConfiguredMethod, find_method
from fedmvp_core.prompting import Prompting
from fedmvp_core.protocol import num_bytes
from fedmvp_core.terms.term import ConfiguredTerm, configured_terms, of_terms
from fedmvp_core.training import train_locally
from fedmvp_core.wire import wire_bytes
from fedmvp_core.workspace import block_running, open_workspace
from server_app.aggregation import asked_terms

TURNS = 3  # the first of which warms up
CUDA_CONTEXT = 600 * 2**20  # bytes that each process takes of a GPU beside PyTorch's tensors


@dataclass(frozen=True)
class ClientCost:
    """A client's cost.

    device: "cuda" or "cpu". seconds: a step, attack included; where clients share a batch, its
    share of theirs. steps: of the largest shard's client in a round; mean_steps: of all clients.
    memory: bytes at most of all that share a batch, of the GPU, or of the process on a CPU; None:
    they did not fit. room: bytes that the device has. down, up: bytes of a full round each way, up
    in the phase that sends most.
    """

    device: str
    seconds: float
    steps: int
    mean_steps: float
    memory: int | None
    room: int
    down: int
    up: int
    sharing: int = 1


def measure_client(config: RunConfig, clients: int) -> ClientCost:
    """Measure the client of the largest shard, on one CPU thread as in a run, or on the GPU.

    With clients-per-batch so many of its like train in lock step.

    Raises:
        FedMVPError: the run could not start.
        ConfigError: the method trains nothing.
    """
    method = find_method(config)
    if not method.trains:
        raise ConfigError(f"method is '{method.name}', which trains nothing; allowed: others")
    work = open_workspace(config.with_values(decode_cache=False))
    work.backbone.running = block_running(config, work.backbone.device)
    shards = make_shards(work.setting, clients, config)
    prompting = method.build_prompting(work.backbone, work.setting.train.class_names)
    terms = configured_terms(asked_terms(config, method))
    tensors = travelling_tensors(prompting, terms)
    sent = [sent_in(prompting, terms, phase) for phase in method.phases]
    wire = config.federation.wire_dtype
    steps = [steps_of(len(shard.images), config) for shard in shards]
    largest = max(shards, key=lambda shard: len(shard.images))
    device = work.backbone.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    threads = torch.get_num_threads()
    seconds, fits = 0.0, True
    sharing = min(config.federation.clients_per_batch, clients)
    try:
        torch.set_num_threads(1)
        batch = first_images(largest, config.training.batch_size)
        own = prepared(work.backbone, batch, work.setting, config, FeatureCache(None))
        one = config.with_values(local_epochs=1)

        def step_of_another() -> Callable[[], object]:
            prompts = method.build_prompting(work.backbone, work.setting.train.class_names)
            round = first_round(method, prompts, terms, config)
            return partial(train_locally, work.backbone, prompts, method, own, one, round, terms)

        steps_at_once = [step_of_another() for _ in range(sharing)]
        turns = [seconds_of(steps_at_once, device) for _ in range(TURNS)]
        seconds = statistics.median(turns[1:]) / sharing
    except torch.OutOfMemoryError:
        fits = False
    finally:
        torch.set_num_threads(threads)
    return ClientCost(
        device=device.type,
        seconds=seconds,
        steps=max(steps),
        mean_steps=statistics.fmean(steps),
        memory=peak_memory(device) if fits else None,
        room=room_of(device),
        down=num_bytes(tensors),
        up=max(wire_bytes({n: tensors[n] for n in names}, wire) for names in sent),
        sharing=sharing,
    )


def seconds_of(steps: Sequence[Callable[[], object]], device: torch.device) -> float:
    """Seconds that steps take, in lock step if there are several."""
    began = time.perf_counter()
    if len(steps) == 1:
        steps[0]()
    else:
        play_together(steps)
    settle(device)
    return time.perf_counter() - began


def steps_of(images: int, config: RunConfig) -> int:
    """Steps of a client with so many images in a round."""
    return config.training.local_epochs * -(-images // config.training.batch_size)


def first_images(shard: Shard, most: int) -> Shard:
    """The shard with no more than so many of its images; its classes stay."""
    if len(shard.images) <= most:
        return shard
    return replace(shard, images=shard.images.select(torch.arange(most)))


def prepared(
    backbone: Backbone, shard: Shard, setting: Setting, config: RunConfig, cache: FeatureCache
) -> PreparedShard:
    """The shard as a client of the run prepares it."""
    attacked = None
    if config.attack.attack_classes == "global":
        attacked = setting.make_task(setting.train.class_names)
    return prepare_shard(backbone, shard, cache, attacked, config.training, config.run.seed)


def first_round(
    method: ConfiguredMethod,
    prompting: Prompting,
    terms: Sequence[ConfiguredTerm],
    config: RunConfig,
) -> LocalRound:
    """The first round, as a client gets it from the server."""
    device = next((p.device for p in prompting.parameters()), None)
    own = {name: value.to(device) for name, value in prompting.prompt_tensors().items()}
    exchanged = of_terms(terms, travelling_tensors(prompting, terms))
    return LocalRound(
        number=1,
        phase=method.phases[0],
        received=own,
        exchanged={t: {n: v.to(device) for n, v in of.items()} for t, of in exchanged.items()},
        kept={
            term.name: {name: start.to(device) for name, start in term.kept(own).items()}
            for term, _ in terms
        },
        multi_label_loss=config.training.multi_label_loss,
    )


def settle(device: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_words(device: torch.device) -> str:
    """What computes, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has had at most: of the GPU, or resident on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) + CUDA_CONTEXT
    return most_resident()


def most_resident() -> int:
    """Bytes of memory that this process has had at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def room_of(device: torch.device) -> int:
    """Bytes that the GPU or the machine has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
