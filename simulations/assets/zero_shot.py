"""Zero-shot top-1 of the tiny CLIP by style, with the plain template and with attributes.

python -m simulations.assets.zero_shot [--split validation]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from simulations.assets.fast_clip import build_model, build_tokenizer, load_config
from simulations.assets.manifest import ASSETS
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


@torch.no_grad()
def image_features(model: Any, tiles: Any, config: dict[str, Any]) -> Tensor:
    """Unit image features, (tiles, embed). tiles: (tiles, 64, 64, 3) uint8."""
    pixels = torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(config["preprocess"]["mean"]).view(3, 1, 1)
    std = torch.tensor(config["preprocess"]["std"]).view(3, 1, 1)
    features: Tensor = model.encode_image((pixels - mean) / std, normalize=True)
    return features


def measure(
    model: Any, tokenizer: Any, splits: tuple[str, ...], attributes: bool
) -> dict[str, float]:
    """Top-1 in percent for each style and for their mean."""
    document, config = load_document(), load_config()
    benchmark = document["benchmark"]
    members = [c for c in document["concepts"] if c["split"] in splits and c["class"] in benchmark]
    labels = torch.tensor([benchmark.index(c["class"]) for c in members])
    classes = class_features(model, tokenizer, class_sentences(document, attributes))
    result: dict[str, float] = {}
    for style in STYLES:
        tiles = load_sheet(style, len(document["concepts"]))[[c["index"] for c in members]]
        guesses = (image_features(model, tiles, config) @ classes.T).argmax(dim=1)
        result[style] = 100 * (guesses == labels).float().mean().item()
    result["mean"] = sum(result.values()) / len(STYLES)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--split", choices=("all", "train", "validation", "test"), default="all")
    parser.add_argument("--checkpoint", default=str(ASSETS / "tiny_clip/model.safetensors"))
    args = parser.parse_args()
    splits = ("train", "validation", "test") if args.split == "all" else (args.split,)
    model = build_model(load_config()).float().eval()
    model.load_state_dict({k: v.float() for k, v in load_file(args.checkpoint).items()})
    tokenizer = build_tokenizer()
    plain = measure(model, tokenizer, splits, attributes=False)
    ensemble = measure(model, tokenizer, splits, attributes=True)
    print(f"{'style':12s} {'template':>9s} {'attributes':>11s}")
    for style in plain:
        print(f"{style:12s} {plain[style]:9.1f} {ensemble[style]:11.1f}")


if __name__ == "__main__":
    main()
