"""Zero-shot top-1 of both tiny CLIPs by style: plain template, attributes, and under attack.

python -m simulations.assets.zero_shot [--split validation]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedmvp_core.adversarial.iterated import pgd_restarts
from fedmvp_core.backbone import load_backbone
from fedmvp_core.backbone.assets import EMBEDDED_WEIGHTS
from simulations.assets.fast_clip import build_tokenizer, load_config
from simulations.assets.sheets import STYLES, load_document, load_sheet


def class_sentences(document: dict[str, Any], attributes: bool) -> list[list[str]]:
    """The sentences of each benchmark class: the template alone, or one for each attribute."""
    if not attributes:
        return [[f"a picture of a {name}."] for name in document["benchmark"]]
    return [
        [f"a picture of a {name}, such as {phrase}." for phrase in document["attributes"][name]]
        for name in document["benchmark"]
    ]


@torch.no_grad()
def class_features(model: Any, tokenizer: Any, sentences: list[list[str]]) -> Tensor:
    """Unit mean text feature of every class, (classes, embed)."""
    rows = [model.encode_text(tokenizer(group), normalize=True).mean(dim=0) for group in sentences]
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


def read_pictures(style: str, splits: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """A style's pictures, (pictures, 3, 64, 64) in [0, 1], and their benchmark classes."""
    document = load_document()
    benchmark = document["benchmark"]
    members = [c for c in document["concepts"] if c["split"] in splits and c["class"] in benchmark]
    tiles = load_sheet(style, len(document["concepts"]))[[c["index"] for c in members]]
    pixels = torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float() / 255
    return pixels, torch.tensor([benchmark.index(c["class"]) for c in members])


def measure(
    model: Any,
    tokenizer: Any,
    splits: tuple[str, ...],
    attributes: bool = False,
    epsilon: float = 0.0,
    steps: int = 20,
) -> dict[str, float]:
    """Top-1 in percent for each style and for their mean, under attack where epsilon is not 0.

    The attack is PGD on the cross-entropy with steps of epsilon / 4 from one random start; a
    picture counts as right if it stays so at every step. model: frozen, an `open_clip.CLIP`.
    """
    document, config = load_document(), load_config()
    mean, std = (torch.tensor(config["preprocess"][k]).view(3, 1, 1) for k in ("mean", "std"))
    classes = class_features(model, tokenizer, class_sentences(document, attributes))
    scaled = model.logit_scale.exp() * classes.T

    def logits_of(pixels: Tensor) -> Tensor:
        features: Tensor = model.encode_image((pixels - mean) / std, normalize=True)
        return features @ scaled

    result: dict[str, float] = {}
    for style in STYLES:
        pixels, labels = read_pictures(style, splits)
        if epsilon:
            generator = torch.Generator().manual_seed(0)
            pixels = pgd_restarts(
                logits_of, pixels, labels, epsilon, epsilon / 4, steps, generator=generator
            )
        with torch.no_grad():
            guesses = logits_of(pixels).argmax(dim=1)
        result[style] = 100 * (guesses == labels).float().mean().item()
    result["mean"] = sum(result.values()) / len(STYLES)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--split", choices=("all", "train", "validation", "test"), default="all")
    parser.add_argument("--pretrained", nargs="+", default=list(EMBEDDED_WEIGHTS))
    args = parser.parse_args()
    splits = ("train", "validation", "test") if args.split == "all" else (args.split,)
    tokenizer = build_tokenizer()
    for pretrained in args.pretrained:
        model = load_backbone("tiny", pretrained).clip
        columns = {
            "template": measure(model, tokenizer, splits),
            "attributes": measure(model, tokenizer, splits, attributes=True),
            "PGD 1/255": measure(model, tokenizer, splits, epsilon=1 / 255),
            "PGD 4/255": measure(model, tokenizer, splits, epsilon=4 / 255),
        }
        print(f"{pretrained:15s}", *(f"{name:>10s}" for name in columns))
        for style in (*STYLES, "mean"):
            print(f"{style:15s}", *(f"{scores[style]:10.1f}" for scores in columns.values()))


if __name__ == "__main__":
    main()
