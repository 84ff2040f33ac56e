"""Pretrain the tiny CLIP on the prepared cache, resumably.

    python -m simulations.assets.pretrain_tiny_clip --work-dir DIR

The learning rate warms up, stays, and decays over the last steps. To end a run earlier, stop it and
start it again with fewer --steps: it resumes and goes straight into the decay.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from simulations.assets.augment import choose_patches
from simulations.assets.captions import Batch, CaptionedPictures
from simulations.assets.fast_clip import (
    build_model,
    build_tokenizer,
    encode_patches,
    encode_tokens,
    load_config,
    patchify,
)
from simulations.assets.optimising import build_optimizer, save_state, update, update_average
from simulations.assets.zero_shot import measure

TEACHER_WIDTH = 384


@dataclass(frozen=True)
class Recipe:
    """Everything that changes the result."""

    steps: int = 3385
    batch_size: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    warmup: int = 200
    decay_share: float = 0.374  # of all steps, at the end
    whole_share: float = 0.0355  # of all steps, at the end, that see every patch
    kept_patches: int = 24  # of 64, before that
    soft_share: float = 0.4  # of the contrastive target, given by the teacher
    soft_temperature: float = 0.08
    text_distillation: float = 2.0
    image_distillation: float = 1.0
    class_weight: float = 0.7  # of the loss over the class sentences
    ema: float = 0.998
    seed: int = 0


class Student(nn.Module):
    """The CLIP and the two linear heads, thrown away later, that reach the teacher's space."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.clip = build_model(config)
        self.text_head = nn.Linear(config["embed_dim"], TEACHER_WIDTH)
        self.image_head = nn.Linear(config["embed_dim"], TEACHER_WIDTH)

    def forward(
        self, patches: Tensor, keep: Tensor | None, tokens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Unit image and text features, (batch, embed), and both in the teacher's space."""
        images = encode_patches(self.clip, patches, keep)
        texts = encode_tokens(self.clip, tokens)
        return images, texts, self.image_head(images), self.text_head(texts)


def soft_targets(meaning: Tensor, share: float, temperature: float) -> Tensor:
    """(batch, batch) rows that sum to one: own caption, its twins, and what is close in meaning."""
    similarity = meaning @ meaning.T
    own = (similarity > 0.999).float()
    close = (similarity / temperature).softmax(dim=1)
    return (1 - share) * own / own.sum(dim=1, keepdim=True) + share * close


def total_loss(
    student: Callable[..., Any],
    scale: Tensor,
    batch: Batch,
    class_tokens: Tensor,
    patches: Tensor,
    keep: Tensor | None,
    recipe: Recipe,
) -> Tensor:
    """Contrastive loss with soft targets, the two distillation terms, and the class sentences.

    class_tokens: (classes, 20); they are encoded with the captions, in one batch.
    """
    size = len(batch.tokens)
    with torch.autocast("cpu", torch.bfloat16):
        tokens = torch.cat([batch.tokens, class_tokens])
        images, texts, image_guess, text_guess = student(patches, keep, tokens)
    images = scale.exp().clamp(max=100) * images
    logits = images @ texts[:size].T
    targets = soft_targets(batch.caption_meaning, recipe.soft_share, recipe.soft_temperature)
    contrastive = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    by_class = F.cross_entropy(images @ texts[size:].T, batch.labels, ignore_index=-1)
    text_gap = 1 - F.cosine_similarity(text_guess[:size].float(), batch.caption_meaning).mean()
    image_gap = 1 - F.cosine_similarity(image_guess.float(), batch.picture_meaning).mean()
    return (
        contrastive
        + recipe.class_weight * by_class
        + recipe.text_distillation * text_gap
        + recipe.image_distillation * image_gap
    )


def learning_rate(step: int, recipe: Recipe) -> float:
    """Warm-up, constant, then linear decay to zero."""
    decay = recipe.decay_share * recipe.steps
    left = max(0.0, (recipe.steps - step) / decay)
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup, left)


class Run:
    """The state of a run: what a checkpoint holds and brings back."""

    def __init__(self, work: Path, recipe: Recipe, name: str) -> None:
        torch.manual_seed(recipe.seed)
        self.work, self.recipe, self.name = work, recipe, name
        self.student = Student(load_config())
        self.optimizer = build_optimizer(list(self.student.parameters()), recipe.weight_decay)
        self.average = [p.detach().clone() for p in self.student.clip.parameters()]
        self.rng = np.random.default_rng(recipe.seed)
        self.torch_rng = torch.Generator().manual_seed(recipe.seed)
        self.step = 0

    @property
    def checkpoint(self) -> Path:
        return self.work / f"{self.name}.pt"

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(),
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
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average = state["average"]
        self.rng.bit_generator.state = state["rng"]
        self.torch_rng.set_state(state["torch_rng"])
        self.step = state["step"]

    @torch.no_grad()
    def averaged_model(self) -> Any:
        """An open_clip model with the averaged weights."""
        model = build_model(load_config()).eval()
        for parameter, value in zip(model.parameters(), self.average, strict=True):
            parameter.copy_(value)
        return model

    def export(self, path: Path) -> None:
        """The averaged weights as float16 safetensors."""
        state = self.averaged_model().state_dict()
        save_file({k: v.half().contiguous() for k, v in state.items()}, path)


def train_step(run: Run, forward: Callable[..., Any], data: CaptionedPictures) -> Tensor:
    """One optimiser step; returns the loss. `forward`: the compiled student."""
    recipe = run.recipe
    batch = data.batch(recipe.batch_size, run.rng, run.torch_rng)
    patches = patchify(batch.images * 2 - 1, 8)
    whole = run.step >= recipe.steps * (1 - recipe.whole_share)
    keep = None if whole else choose_patches(patches, recipe.kept_patches, run.torch_rng)
    scale = run.student.clip.logit_scale
    # Eager for the few last steps: compiling the second shape would cost more than it saves.
    student = run.student if whole else forward
    loss = total_loss(student, scale, batch, data.class_tokens, patches, keep, recipe)
    rate = learning_rate(run.step, recipe)
    update(run.optimizer, list(run.student.parameters()), loss, rate)
    update_average(run.average, list(run.student.clip.parameters()), recipe.ema, run.step)
    run.step += 1
    return loss.detach()


def report(run: Run, loss: float, speed: float, tokenizer: Any) -> None:
    """Save, export, and log zero-shot accuracy on the validation concepts."""
    run.save()
    run.export(run.work / f"{run.name}.safetensors")
    model = run.averaged_model()
    row = {"step": run.step, "loss": round(loss, 4), "images_per_second": round(speed, 1)}
    for name, attributes in (("template", False), ("attributes", True)):
        scores = measure(model, tokenizer, ("validation",), attributes)
        row[name] = {style: round(score, 1) for style, score in scores.items()}  # type: ignore
    with (run.work / f"{run.name}.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)


def pretrain(work: Path, recipe: Recipe, name: str, every: float) -> None:
    """Train to the end, reporting every so many seconds."""
    tokenizer = build_tokenizer()
    data = CaptionedPictures(work, tokenizer)
    run = Run(work, recipe, name)
    run.resume()
    print(json.dumps(asdict(recipe)), "from step", run.step, flush=True)
    forward = torch.compile(run.student, dynamic=False)
    since, first, losses = time.time(), run.step, 0.0
    while run.step < recipe.steps:
        losses += train_step(run, forward, data).item()
        taken, seconds = run.step - first, time.time() - since
        if seconds > every or run.step == recipe.steps:
            report(run, losses / taken, taken * recipe.batch_size / seconds, tokenizer)
            since, first, losses = time.time(), run.step, 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--name", default="run")
    parser.add_argument("--report-every", type=float, default=180.0, help="seconds")
    for field, value in asdict(Recipe()).items():
        parser.add_argument("--" + field.replace("_", "-"), type=type(value), default=value)
    args = vars(parser.parse_args())
    torch.set_num_threads(2)
    work, name, every = (args.pop(key) for key in ("work_dir", "name", "report_every"))
    pretrain(work, Recipe(**args), name, every)


if __name__ == "__main__":
    main()
