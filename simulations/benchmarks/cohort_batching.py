"""What it gains that clients share a batch of the backbone (clients-per-batch).

    python -m simulations.benchmarks.cohort_batching [--clients 8] [--batch 16] [--method fedmvp]
        [--backbone ViT-B-16] [--device cuda] [--precision bf16] [--attack-steps 3] [--repeats 9]

alone     clients train one after the other, as clients-per-batch=1 has them
together  the same clients in lock step: their batches go through the backbone as one

Both are timed in turn, several steps of each client; printed are medians over the turns, and of the
ratios within a turn.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard
from fedmvp_core.lockstep.jobs import play, taking_part
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally
from simulations.plugins.examples import CLASSES, IMAGES, example_shard
from simulations.runner.client_cost import device_words, settle
from simulations.runner.project import default_config

STEPS = 4  # of each client in a turn


@dataclass(frozen=True)
class Measured:
    """Seconds of one step of all clients, one for each turn. memory: most GPU bytes, alone and
    together; 0 on a CPU."""

    alone: list[float]
    together: list[float]
    memory: tuple[int, int]

    def ratios(self) -> list[float]:
        """How many times as fast clients are together, turn by turn, the smallest first."""
        return sorted(a / b for a, b in zip(self.alone, self.together, strict=True))


def measure(backbone: Backbone, config: RunConfig, clients: int, repeats: int = 9) -> Measured:
    """Time `clients` clients of the configuration's method, alone and together in turn.

    config: method, objective, batch-size and attack; clients hold noise pictures of three classes.
    """
    images = config.training.batch_size * STEPS
    jobs = [_client(backbone, config, number, images) for number in range(clients)]
    sides: list[Callable[[], object]] = [lambda: [job() for job in jobs], lambda: play(jobs)]
    for side in sides:  # warm-up
        side()
    memory = [_most_memory(side, backbone.device) for side in sides]
    turns = [[_seconds(side, backbone.device) / STEPS for side in sides] for _ in range(repeats)]
    alone, together = (list(times) for times in zip(*turns, strict=True))
    return Measured(alone, together, (memory[0], memory[1]))


def _client(
    backbone: Backbone, config: RunConfig, number: int, images: int
) -> Callable[[], object]:
    """A client's round of STEPS steps, with its own module and pictures."""
    method, shard = find_method(config), _shard(backbone, number, images)
    start = method.build_prompting(backbone, CLASSES)

    def train() -> None:
        prompting = copy.deepcopy(start)
        round = LocalRound(phase=method.phases[0], received=prompting.prompt_tensors())
        with taking_part():
            train_locally(backbone, prompting, method, shard, config, round)

    return train


def _shard(backbone: Backbone, number: int, images: int) -> PreparedShard:
    shard = example_shard(backbone)
    rows = torch.arange(images, device=backbone.device) % IMAGES
    return replace(
        shard,
        partition_id=number,
        images=shard.images[rows],
        labels=shard.labels[rows],
        frozen_views=shard.frozen_views[:, rows],
    )


def _seconds(side: Callable[[], object], device: torch.device) -> float:
    settle(device)
    began = time.perf_counter()
    side()
    settle(device)
    return time.perf_counter() - began


def _most_memory(side: Callable[[], object], device: torch.device) -> int:
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    side()
    return torch.cuda.max_memory_allocated(device)


def as_table(measured: Measured, clients: int, batch: int) -> str:
    """Markdown: a row for each side."""
    rows = ["| clients | ms a step of all | images a second | times as fast |"]
    rows.append("| --- | ---: | ---: | ---: |")
    ratios = measured.ratios()
    gain = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    sides = (("alone", measured.alone, "1.00"), ("together", measured.together, gain))
    for name, times, words in sides:
        seconds = statistics.median(times)
        rate = f"{clients * batch / seconds:,.0f}"
        rows.append(f"| {name} | {1000 * seconds:.1f} | {rate} | {words} |")
    return "\n".join(rows)


def main() -> None:
    """Print the table of one backbone, device, number of clients and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16, help="images of one client in a step")
    parser.add_argument("--method", default="fedmvp")
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--attack-steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    backbone = load_backbone(options.backbone, None, options.device, options.precision)
    chosen = {"batch-size": options.batch, "attack-steps": options.attack_steps}
    one = {"method": options.method, "method-options": "", "local-epochs": 1}
    config = parse_config({**default_config(), **chosen, **one})
    measured = measure(backbone, config, options.clients, options.repeats)
    print(
        f"{device_words(backbone.device)}, {options.backbone}, {options.precision}, "
        f"{options.method}, {options.clients} clients of {options.batch} images, "
        f"{options.repeats} turns"
    )
    print(as_table(measured, options.clients, options.batch))
    if backbone.device.type == "cuda":
        alone, together = (number / 1e9 for number in measured.memory)
        print(f"most GPU memory in use: {alone:.1f} GB alone, {together:.1f} GB together")


if __name__ == "__main__":
    main()
