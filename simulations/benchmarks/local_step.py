"""What a local training step costs, against two yardsticks.

    python -m simulations.benchmarks.local_step [--backbone ViT-B-16] [--batch 32] [--repeats 7]

step     one FedMVP step as a client does it, frozen text and consistency targets from the cache
floor    the same forward and backward of the prompted image encoder with ready-made prompts: no
         method can be cheaper
anew     the step with every sentence and the frozen view encoded again, as the method's published
         code does in each forward

The three are timed in turn, repeatedly; printed are the medians of the ratios within a turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import parse_config
from fedmvp_core.objectives import Batch
from fedmvp_core.objectives.fedmvp import fedmvp_objective
from fedmvp_core.prompting import Features
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.tasks import EncodedTask, Task, encode_task
from simulations.runner.project import default_config

CLASSES, ATTRIBUTES = 20, 10  # FedMVP's: at most 20 classes a client, 10 attributes a class


def main() -> None:
    """Print the ratios for one backbone and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    sides = _sides(load_backbone(options.backbone), options.batch)
    _turn(sides)  # warm-up
    turns = [_turn(sides) for _ in range(options.repeats)]
    print(f"backbone {options.backbone}, batch {options.batch}, {options.repeats} turns")
    for side, base in (("step", "floor"), ("anew", "step")):
        ratios = sorted(turn[side] / turn[base] for turn in turns)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"{side} / {base}: {statistics.median(ratios):.2f} ({spread})")


def _turn(sides: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Seconds of each side, once."""
    seconds = {}
    for name, side in sides.items():
        started = time.perf_counter()
        side()
        seconds[name] = time.perf_counter() - started
    return seconds


def _sides(backbone: Backbone, batch_size: int) -> dict[str, Callable[[], None]]:
    draw = torch.Generator().manual_seed(0)
    shape = (batch_size, 3, backbone.image_size, backbone.image_size)
    images = torch.rand(shape, generator=draw)
    labels = torch.randint(CLASSES, (batch_size,), generator=draw)
    task = _task()
    encoded = encode_task(backbone, task, FeatureCache())
    frozen = _frozen(backbone, images)
    former = PromptFormer(backbone.image_width, backbone.embed_dim)
    ready = torch.randn(former.prompt_length, backbone.image_width, generator=draw)
    ready.requires_grad_()
    objective = fedmvp_objective(parse_config(default_config()))

    def step(target: Tensor, encoded_task: EncodedTask) -> None:
        def predict(pixels: Tensor) -> tuple[Features, Tensor]:
            features = former(backbone, pixels, encoded_task)
            return features, features.logits(backbone.logit_scale)

        batch = Batch(images, labels, target, torch.zeros(batch_size, CLASSES), images)
        objective(predict, batch).value.backward()

    def floor() -> None:
        features = F.normalize(backbone.encode_image(images, {0: ready}), dim=-1)
        logits = backbone.logit_scale * features @ encoded.class_features.T
        F.cross_entropy(logits, labels).backward()

    def anew() -> None:
        step(_frozen(backbone, images), encode_task(backbone, task, FeatureCache()))

    return {"floor": floor, "step": lambda: step(frozen, encoded), "anew": anew}


def _task() -> Task:
    names = tuple(f"class {label}" for label in range(CLASSES))
    phrases = tuple(
        tuple(f"a visible thing of kind {label} {i}" for i in range(ATTRIBUTES))
        for label in range(CLASSES)
    )
    return Task(names, phrases, "a photo of a {class}.", "a photo of a {class}, with {attribute}.")


@torch.no_grad()
def _frozen(backbone: Backbone, images: Tensor) -> Tensor:
    return F.normalize(backbone.encode_image(images.flip(-1)), dim=-1)


if __name__ == "__main__":
    main()
