"""Augmentation of a whole batch by tensor operations; PIL would cost more than the model does.

Two of the six styles are never seen in pretraining (line drawings and shaded volumes), so colour is
made unreliable on purpose: recolouring, grey, edges only, soft shading.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def chance(p: float, count: int, rng: torch.Generator) -> Tensor:
    """(count, 1, 1, 1) booleans, each true with probability p."""
    return torch.rand(count, 1, 1, 1, generator=rng) < p


def recolour(images: Tensor, rng: torch.Generator) -> Tensor:
    """Black-on-white icons in a random ink on a light, now and then dark, ground."""
    count = len(images)
    ink = torch.rand(count, 3, 1, 1, generator=rng) * 0.8
    ink = torch.where(chance(0.35, count, rng), torch.zeros(()), ink)
    ground = torch.rand(count, 3, 1, 1, generator=rng) * 0.4 + 0.6
    ground = torch.where(chance(0.6, count, rng), torch.ones(()), ground)
    invert = chance(0.06, count, rng)
    ink, ground = torch.where(invert, ground, ink), torch.where(invert, ink, ground)
    return ink + images * (ground - ink)


def jitter(images: Tensor, rng: torch.Generator) -> Tensor:
    """Random saturation, hue mixing, contrast and brightness, as one 3x3 matrix a picture."""
    count = len(images)
    grey = torch.full((3, 3), 1 / 3)
    saturation = torch.rand(count, 1, 1, generator=rng) * 1.2 + 0.1
    saturation = saturation * (torch.rand(count, 1, 1, generator=rng) > 0.15)
    mix = torch.eye(3) * saturation + grey * (1 - saturation)
    turn = torch.randn(count, 3, 3, generator=rng) * 0.12
    mix = mix + turn - turn.mean(dim=2, keepdim=True)  # rows still sum to one: white stays white
    contrast = torch.rand(count, 1, 1, generator=rng) * 0.5 + 0.65
    mixed = (mix * contrast) @ images.flatten(2) + (1 - contrast)
    return mixed.view_as(images).clamp(0, 1)


def edges(images: Tensor) -> Tensor:
    """A line drawing: black where a 3x3 neighbourhood changes, white elsewhere."""
    grey = images.mean(dim=1, keepdim=True)
    thick = F.max_pool2d(grey, 3, 1, 1) + F.max_pool2d(-grey, 3, 1, 1)
    return (1 - 2.5 * thick).clamp(0, 1).expand_as(images)


def shade(images: Tensor, rng: torch.Generator) -> Tensor:
    """A smooth light over the drawing, not over its white ground."""
    light = torch.rand(len(images), 1, 3, 3, generator=rng) * 0.7 + 0.5
    light = F.interpolate(light, images.shape[-2:], mode="bilinear", align_corners=True)
    drawn = images.amin(dim=1, keepdim=True) < 0.96
    return torch.where(drawn, images * light, images).clamp(0, 1)


def warp(images: Tensor, rng: torch.Generator) -> Tensor:
    """Random scale, aspect, rotation, shift and mirror; what comes in from outside is white."""
    count = len(images)
    angle = (torch.rand(count, generator=rng) - 0.5) * 0.6
    zoom = torch.exp((torch.rand(count, 2, generator=rng) - 0.4) * 0.4)
    zoom = zoom * torch.exp((torch.rand(count, 1, generator=rng) - 0.4) * 0.4)
    mirror = torch.where(torch.rand(count, generator=rng) < 0.3, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = torch.cos(angle) * zoom[:, 0] * mirror
    matrix[:, 0, 1] = -torch.sin(angle) * zoom[:, 1]
    matrix[:, 1, 0] = torch.sin(angle) * zoom[:, 0] * mirror
    matrix[:, 1, 1] = torch.cos(angle) * zoom[:, 1]
    matrix[:, :, 2] = (torch.rand(count, 2, generator=rng) - 0.5) * 0.25
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return 1 - F.grid_sample(1 - images, grid, align_corners=False)


def some(p: float, rows: Tensor, rng: torch.Generator) -> Tensor:
    """Those of `rows` that a draw with probability p picks."""
    return rows[torch.rand(len(rows), generator=rng) < p]


@torch.no_grad()
def augment(images: Tensor, colour: Tensor, rng: torch.Generator) -> Tensor:
    """images: (batch, 3, 64, 64) in [0, 1], changed in place; colour: (batch,) false for one ink.

    Every operation runs on the pictures it concerns alone: they are bound by memory traffic, and
    done on the whole batch they would take a third of a step.
    """
    inked, coloured = (~colour).nonzero()[:, 0], colour.nonzero()[:, 0]
    images[inked] = recolour(images[inked], rng)
    lines = some(0.12, coloured, rng)
    drawn = edges(images[lines])
    images[coloured] = jitter(images[coloured], rng)
    images[lines] = drawn
    shaded = some(0.25, coloured, rng)
    images[shaded] = shade(images[shaded], rng)
    return warp(images, rng)


@torch.no_grad()
def choose_patches(patches: Tensor, kept: int, rng: torch.Generator) -> Tensor:
    """Indices, (batch, kept), of the patches to encode: random, but drawn ones before blank ones.

    patches: (batch, patches, values). Blank ground says little, yet a quarter of the noise still
    lets some of it in, so that the encoder knows it when all patches are present.
    """
    drawn = patches.std(dim=-1) > 0.02
    score = torch.rand(drawn.shape, generator=rng) + 0.6 * drawn
    return score.topk(kept, dim=1).indices
