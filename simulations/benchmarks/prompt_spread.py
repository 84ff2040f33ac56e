"""How much PromptFormer's prompts depend on the image, and how evenly it attends to attributes.

    python -m simulations.benchmarks.prompt_spread runs/mine runs/other

For each saved run, over the first images of its first split: the mean length of a prompt, its
standard deviation over images and over the prompts of one image, and the entropy of the attention
over its largest value, 1 where every attribute is looked at alike.
"""

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.tasks import encode_task
from simulations.runner.saved_run import load_saved_run

IMAGES = 200


def spread(prompts: Tensor, dim: int) -> float:
    """Standard deviation of (images, m, width) prompts along a dimension, as a length."""
    return prompts.std(dim=dim).norm(dim=-1).mean().item()


def evenness(attention: Tensor) -> float:
    """Mean entropy of (..., attributes) attention, whose rows sum to 1, over its largest value."""
    entropy = -(attention * attention.clamp(min=1e-30).log()).sum(dim=-1)
    return entropy.mean().item() / math.log(attention.shape[-1])


@torch.no_grad()
def measured(folder: Path) -> tuple[float, float, float, float]:
    """Length, spread over images, spread over one image's prompts, evenness of the attention.

    Raises:
        ConfigError: the run's method is no PromptFormer.
    """
    saved = load_saved_run(folder)
    module, backbone, split = saved.prompting, saved.backbone, saved.setting.evaluations[0]
    if not isinstance(module, PromptFormer):
        raise ConfigError(f"{folder} is of method '{saved.config.model.method}'; allowed: fedmvp")
    task = encode_task(backbone, split.task, saved.cache)
    images = split.images.images[:IMAGES].float() / 255
    patches = module.queried(backbone.embed_patches(images)[:, 1:])
    prompts = module.prompts(patches, task.attribute_features)
    several = spread(prompts, 1) if module.prompt_length > 1 else 0.0
    even = evenness(module.attention(backbone, images, task))
    return prompts.norm(dim=-1).mean().item(), spread(prompts, 0), several, even


def main() -> None:
    """Print a Markdown table of the runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    print("| run | length | over images | over one image's prompts | evenness |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for folder in parser.parse_args().runs:
        length, images, prompts, even = measured(folder)
        print(f"| {folder.name} | {length:.2f} | {images:.4f} | {prompts:.4f} | {even:.3f} |")


if __name__ == "__main__":
    main()
