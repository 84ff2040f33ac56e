"""What a step of local training costs, against the bare forward and backward of the encoder.

    python -m simulations.benchmarks.local_step [--backbone ViT-B-16] [--batch 128]
        [--device cuda] [--precision bf16] [--attack-steps 3] [--repeats 7] [--crops]

floor        forward and backward of the prompted image encoder with ready-made prompts: no method
             can be cheaper
fedmvp       a step of FedMVP as a client does it, frozen text and targets from the cache
anew         the same with every sentence and the frozen view encoded again before each step, as
             the method's published code does in each forward
fedmvp-capt  a step with PGD: attack-steps + 2 passes through the encoder

The four are timed in turn, several steps each; printed are medians over the turns, and of the
ratios within a turn. With --crops the sides are instead, all without the cost of preparing a shard:

none         a step of FedMVP on pictures as they are read
crops        on crops drawn in the step, with the frozen target of the other crop encoded in it
cached       on one of four crops of each picture that were drawn and encoded before
promptfl, promptfl-crops  a step of PromptFL, whose objective reads nothing of the frozen model
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import RunConfig, parse_config
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting.promptformer import PromptFormerOptions
from fedmvp_core.tasks import Task
from fedmvp_core.training import train_locally
from simulations.runner.client_cost import device_words, settle
from simulations.runner.project import default_config

CLASSES, ATTRIBUTES = 20, 10  # FedMVP's: at most 20 classes a client, 10 attributes a class
STEPS = 4  # of each side in a turn

Side = Callable[[], None]


def main() -> None:
    """Print the table of one backbone, batch size, device and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--attack-steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--crops", action="store_true")
    options = parser.parse_args()
    backbone = load_backbone(options.backbone, None, options.device, options.precision)
    chosen = {"batch-size": options.batch, "attack-steps": options.attack_steps}
    config = parse_config({**default_config(), **chosen, "method.lora-threshold": 0.0})
    sides = _crop_sides(backbone, config) if options.crops else _sides(backbone, config)
    for side in sides.values():  # warm-up
        side()
    turns = [_turn(sides, backbone.device) for _ in range(options.repeats)]
    print(
        f"{device_words(backbone.device)}, {options.backbone}, {options.precision}, "
        f"batch {options.batch}, PGD-{options.attack_steps}, {options.repeats} turns"
    )
    print(_table(turns, options.batch))
    if backbone.device.type == "cuda":
        print(f"most GPU memory in use: {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")


def _table(turns: list[dict[str, float]], batch: int) -> str:
    first = next(iter(turns[0]))
    rows = [
        f"| a step of | ms | images a second | times {first} |",
        "| --- | ---: | ---: | ---: |",
    ]
    for side in turns[0]:
        seconds = statistics.median(turn[side] for turn in turns) / STEPS
        ratios = sorted(turn[side] / turn[first] for turn in turns)
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        rows.append(f"| {side} | {1000 * seconds:.1f} | {batch / seconds:,.0f} | {spread} |")
    return "\n".join(rows)


def _turn(sides: Mapping[str, Side], device: torch.device) -> dict[str, float]:
    """Seconds of each side, once."""
    seconds = {}
    for name, side in sides.items():
        settle(device)
        started = time.perf_counter()
        side()
        settle(device)
        seconds[name] = time.perf_counter() - started
    return seconds


def _sides(backbone: Backbone, config: RunConfig) -> dict[str, Side]:
    shard = _shard(config.training.batch_size * STEPS, backbone.image_size)
    prepared = prepare_shard(backbone, shard, FeatureCache(None))

    def trained(method: str) -> Callable[[PreparedShard], None]:
        mine = config.with_values(method=method)
        found = find_method(mine)
        prompting = found.build_prompting(backbone, shard.task.class_names)

        def train(data: PreparedShard) -> None:
            train_locally(backbone, prompting, found, data, mine, LocalRound())

        return train

    fedmvp, fedmvp_capt = trained("fedmvp"), trained("fedmvp-capt")
    ready = torch.randn(
        PromptFormerOptions().prompt_length, backbone.image_width, device=backbone.device
    )
    ready.requires_grad_()

    def floor() -> None:
        batches = (
            part.split(config.training.batch_size) for part in (prepared.images, prepared.labels)
        )
        for images, labels in zip(*batches, strict=True):
            features = backbone.encode_image(images.float() / 255, {0: ready}, normalize=True)
            logits = backbone.logit_scale * features @ prepared.task.class_features.T
            F.cross_entropy(logits, labels).backward()

    def anew() -> None:
        # One of the two views, and all sentences, once for each step.
        for _ in range(STEPS):
            prepare_shard(
                backbone, _first(shard, config.training.batch_size // 2), FeatureCache(None)
            )
        fedmvp(prepared)

    return {
        "floor": floor,
        "fedmvp": lambda: fedmvp(prepared),
        "anew": anew,
        "fedmvp-capt": lambda: fedmvp_capt(prepared),
    }


def _crop_sides(backbone: Backbone, config: RunConfig) -> dict[str, Side]:
    """The same steps without crops, with new ones, and with cached ones."""
    shard = _shard(config.training.batch_size * STEPS, backbone.image_size)

    def side(method: str, augmentation: str, cached_views: int = 0) -> Side:
        mine = config.with_values(
            method=method, augmentation=augmentation, cached_views=cached_views
        )
        if method == "promptfl":
            mine = mine.with_values(method_options="")
        found = find_method(mine)
        prompting = found.build_prompting(backbone, shard.task.class_names)
        prepared = prepare_shard(backbone, shard, FeatureCache(None), None, mine.training)

        def train() -> None:
            train_locally(backbone, prompting, found, prepared, mine, LocalRound())

        return train

    return {
        "none": side("fedmvp", "none"),
        "crops": side("fedmvp", "crops"),
        "cached": side("fedmvp", "crops", 4),
        "promptfl": side("promptfl", "none"),
        "promptfl-crops": side("promptfl", "crops"),
    }


def _shard(count: int, size: int) -> Shard:
    draw = torch.Generator().manual_seed(0)
    names = tuple(f"class {label}" for label in range(CLASSES))
    phrases = tuple(
        tuple(f"a visible thing of kind {label} {i}" for i in range(ATTRIBUTES))
        for label in range(CLASSES)
    )
    images = ImageSet(
        images=torch.randint(256, (count, 3, size, size), generator=draw, dtype=torch.uint8),
        labels=torch.arange(count) % CLASSES,
        domains=("",) * count,
        names=tuple(map(str, range(count))),
        class_names=names,
    )
    template = "a photo of a {class}."
    task = Task(names, phrases, template, "a photo of a {class}, with {attribute}.")
    return Shard(0, images, images, task)


def _first(shard: Shard, count: int) -> Shard:
    """`prepare_shard` encodes an image and its mirror image: half of them are one view's worth."""
    return replace(shard, images=shard.images.select(torch.arange(count)))


if __name__ == "__main__":
    main()
