"""Fine-tune the tiny CLIP's image tower against attacks, resumably, on the prepared cache.

    python -m simulations.assets.robust_tiny_clip --work-dir DIR

TeCoA (Mao et al., ICLR 2023; `simulations.assets.tecoa`) with a caption where a picture's
class is not known, and two terms more: see `robust_loss`. The text tower stays as it is. To end a
run earlier, stop it and start it again with fewer --steps.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import load_backbone, save_image_tower
from simulations.assets.augment import choose_patches
from simulations.assets.captions import CaptionedPictures
from simulations.assets.fast_clip import build_tokenizer, encode_patches, encode_tokens, patchify
from simulations.assets.optimising import build_optimizer, save_state, update, update_average
from simulations.assets.robust_loss import Recipe, class_or_caption, learning_rate, total_loss
from simulations.assets.zero_shot import measure

PATCH = 8


class ImageTower(nn.Module):
    """Pixels (batch, 3, 64, 64) in [0, 1] -> unit features (batch, embed), of chosen patches."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.clip = clip
        self.eval()

    def forward(self, pixels: Tensor, keep: Tensor | None) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return encode_patches(self.clip, patchify(pixels * 2 - 1, PATCH), keep)


class Run:
    """The state of a run: what a checkpoint holds and brings back."""

    def __init__(self, work: Path, recipe: Recipe, name: str) -> None:
        self.work, self.recipe, self.name = work, recipe, name
        self.first = ImageTower(load_backbone("tiny", "embedded").clip)
        self.tower = ImageTower(load_backbone("tiny", "embedded").clip)
        self.clip = self.tower.clip
        self.clip.visual.requires_grad_(True)
        self.parameters: list[nn.Parameter] = list(self.clip.visual.parameters())
        self.optimizer = build_optimizer(self.parameters, recipe.weight_decay)
        self.average = [p.detach().clone() for p in self.parameters]
        self.rng = np.random.default_rng(recipe.seed)
        self.torch_rng = torch.Generator().manual_seed(recipe.seed)
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        return self.work / f"{self.name}.pt"

    def save(self) -> None:
        state = {
            "visual": self.clip.visual.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "rng": self.rng.bit_generator.state,
            "torch_rng": self.torch_rng.get_state(),
            "step": self.step,
        }
        save_state(state, self.checkpoint)

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.clip.visual.load_state_dict(state["visual"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.rng.bit_generator.state = state["rng"]
        self.torch_rng.set_state(state["torch_rng"])
        self.step = state["step"]

    @torch.no_grad()
    def averaged_model(self) -> Any:
        """A frozen open_clip model with the averaged weights."""
        model = load_backbone("tiny", "embedded").clip
        for parameter, value in zip(model.visual.parameters(), self.average, strict=True):
            parameter.copy_(value)
        return model


def train_step(run: Run, tower: Any, first: Any, data: CaptionedPictures) -> Tensor:
    """One optimiser step; returns the loss. `tower`, `first`: those of the run, compiled."""
    recipe = run.recipe
    batch = data.batch(recipe.batch_size, run.rng, run.torch_rng)
    pixels = batch.images.clamp(0, 1)
    keep = None
    if run.step < recipe.steps * (1 - recipe.whole_share):
        keep = choose_patches(patchify(pixels * 2 - 1, PATCH), recipe.kept_patches, run.torch_rng)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        texts = encode_tokens(run.clip, torch.cat([batch.tokens, data.class_tokens]))
        texts = run.clip.logit_scale.exp() * texts
        anchors = first(pixels, keep)
    truth, hidden = class_or_caption(batch.labels, len(data.class_tokens))
    with attack_mode(run.tower):
        adversarial = pgd(
            lambda x: tower(x, keep) @ texts.T + hidden,
            pixels,
            truth,
            recipe.epsilon,
            recipe.attack_step,
            recipe.attack_steps,
            generator=run.torch_rng,
        )
    features = tower(adversarial, keep)
    loss = total_loss(features, anchors, features @ texts.T, hidden, truth, batch, recipe)
    update(run.optimizer, run.parameters, loss, learning_rate(run.step, recipe))
    update_average(run.average, run.parameters, recipe.ema, run.step)
    run.step += 1
    return loss.detach()


def report(run: Run, loss: float, speed: float, tokenizer: Any) -> None:
    """Save, export, and log clean and robust accuracy on the validation concepts (PGD-10)."""
    run.save()
    model = run.averaged_model()
    save_image_tower(model, run.work / f"{run.name}.safetensors")
    row = {"step": run.step, "loss": round(loss, 4), "images_per_second": round(speed, 1)}
    for levels in (0, 1, 4):
        scores = measure(model, tokenizer, ("validation",), epsilon=levels / 255, steps=10)
        row[f"{levels}/255"] = round(scores["mean"], 1)
    with (run.work / f"{run.name}.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def finetune(work: Path, recipe: Recipe, name: str, save_every: float, report_every: float) -> None:
    """Train to the end, saving and reporting every so many seconds."""
    tokenizer = build_tokenizer()
    data = CaptionedPictures(work, tokenizer)
    run = Run(work, recipe, name)
    run.resume()
    print(json.dumps(asdict(recipe)), "from step", run.step, flush=True)
    tower = torch.compile(run.tower, dynamic=False)
    first = torch.compile(run.first, dynamic=False)
    saved = since = time.time()
    begun, losses = run.step, 0.0
    while run.step < recipe.steps:
        losses += train_step(run, tower, first, data).item()
        now, taken = time.time(), run.step - begun
        if now - since > report_every or run.step == recipe.steps:
            report(run, losses / taken, taken * recipe.batch_size / (now - since), tokenizer)
            saved = since = time.time()
            begun, losses = run.step, 0.0
        elif now - saved > save_every:
            run.save()
            saved = now


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--name", default="robust")
    parser.add_argument("--save-every", type=float, default=100.0, help="seconds")
    parser.add_argument("--report-every", type=float, default=300.0, help="seconds")
    for field, value in asdict(Recipe()).items():
        parser.add_argument("--" + field.replace("_", "-"), type=type(value), default=value)
    args = vars(parser.parse_args())
    torch.set_num_threads(2)
    work, name = args.pop("work_dir"), args.pop("name")
    every = args.pop("save_every"), args.pop("report_every")
    finetune(work, Recipe(**args), name, *every)


if __name__ == "__main__":
    main()
