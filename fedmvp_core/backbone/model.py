"""The frozen CLIP that every method shares."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import forward, inputs
from fedmvp_core.backbone.activation import of_architecture
from fedmvp_core.backbone.blocks import PLAIN, BlockRunning, filled_up
from fedmvp_core.backbone.configs import ModelConfig
from fedmvp_core.backbone.forward import Prompts
from fedmvp_core.backbone.hashing import hash_tensors
from fedmvp_core.backbone.tokenizing import Tokenizer
from fedmvp_core.backbone.transfer import move_images
from fedmvp_core.lockstep import calls

PLACEHOLDER = "X"  # one token in CLIP's vocabulary and in the tiny one


def placeholder_sentences(m: int, sentences: Sequence[str]) -> list[str]:
    """Sentences with m placeholder words in front, whose embeddings text prompts replace (CoOp)."""
    return [" ".join([PLACEHOLDER] * m + [sentence]) for sentence in sentences]


# Counts beside `Backbone.encoded` what one piece of code, such as a client's, lets through.
_counter: ContextVar[Counter[str] | None] = ContextVar("counter", default=None)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """What backbones encode inside the block, as `Backbone.encoded` has it, whoever runs beside."""
    counter = Counter[str]()
    before = _counter.set(counter)
    try:
        yield counter
    finally:
        _counter.reset(before)


class Backbone(nn.Module):
    """A frozen CLIP: image encoder, text encoder, logit scale, tokenizer, normalisation.

    Gradients flow to prompts and to images, never to a weight. Tokens and features come out as
    float32, whatever the precision inside. With precision "bf16" both towers are held and computed
    in bfloat16, but for what PyTorch adds up in float32 within its norms, softmax and products.

    Attributes:
        logit_scale: (), already exponentiated: the inverse of CLIP's temperature.
        tokenizer: how sentences become token ids.
        activation: GELU or quick-GELU, how that is known, and any doubt about it.
        running: how blocks are run where gradients are asked for.
        notes: what was changed or left aside while the weights were read, one sentence each.
        encoded: how many "images" (unprompted), "prompted_images" and "sentences" went through.
    """

    logit_scale: Tensor
    _mean: Tensor
    _std: Tensor

    def __init__(
        self,
        clip: Any,
        tokenizer: Tokenizer,
        config: ModelConfig,
        pretrained: str | None = None,
        precision: str = "fp32",
        notes: tuple[str, ...] = (),
        running: BlockRunning = PLAIN,
    ) -> None:
        """Freeze `clip`, an `open_clip.CLIP`; use `load_backbone` instead of calling this."""
        super().__init__()
        self.clip = clip.requires_grad_(False)
        self.name, self.pretrained, self.precision = config.name, pretrained, precision
        self.image_size: int = clip.visual.image_size[0]
        self.patch_size: int = clip.visual.patch_size[0]
        self.embed_dim: int = clip.visual.output_dim
        self.image_width: int = clip.visual.transformer.width
        self.text_width: int = clip.transformer.width
        self.image_layers: int = clip.visual.transformer.layers
        self.text_layers: int = clip.transformer.layers
        self.context_length: int = clip.context_length
        self.activation = config.activation or of_architecture(
            config.name, config.architecture, config.folder
        )
        self.notes, self.running = notes, running
        self.encoded: Counter[str] = Counter()
        self._config = config
        self.tokenizer = tokenizer
        scale = clip.logit_scale.detach().exp().reshape(())
        self.register_buffer("logit_scale", scale, persistent=False)
        for key, value in (("_mean", config.mean), ("_std", config.std)):
            self.register_buffer(key, torch.tensor(value).view(1, 3, 1, 1), persistent=False)
        if self.precision == "bf16":
            _ = self.weights_hash  # of the weights as they were read
            self.clip.to(torch.bfloat16)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Set this module's flag only: the towers stay in evaluation mode."""
        super().train(mode)
        self.clip.eval()
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.logit_scale.device

    @property
    def config(self) -> ModelConfig:
        """The architecture and the pixel statistics."""
        return self._config

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the state dict, the architecture and the pixel statistics.

        The latter two are in it because the same weights give other features with quick-GELU or
        another mean.
        """
        config = [self._config.architecture, self._config.mean, self._config.std]
        return hash_tensors(json.dumps(config, sort_keys=True), self.clip.state_dict().items())

    def embed_patches(self, images: Tensor) -> Tensor:
        """Pixels -> [class; patches] (n, 1 + patches, image_width), positions added, no ln_pre.

        Args:
            images: (n, 3, image_size, image_size), float in [0, 1] or uint8 in [0, 255].

        Raises:
            ValueError: another shape or dtype, or (looked at on the CPU only) floats up to 255.
        """
        inputs.check_images(images, self.image_size, self.name)
        pixels = move_images(images, self.device).to(torch.float32)
        if images.dtype == torch.uint8:
            pixels = pixels / 255

        def run(pixels: Tensor) -> Tensor:
            with self._as_held():
                normalised = ((pixels - self._mean) / self._std).to(self._dtype)
                return forward.embed_patches(self.clip.visual, normalised).float()

        return calls.forward(("patches", id(self)), run, [pixels])

    def class_token(self) -> Tensor:
        """(image_width,): the first token of `embed_patches`, the same for every image."""
        visual = self.clip.visual
        return (visual.class_embedding + visual.positional_embedding[0]).float()

    def encode_tokens(
        self, tokens: Tensor, prompts: Prompts | None = None, regions: bool = False
    ) -> Tensor:
        """The rest of the image tower: tokens of `embed_patches` -> features (n, embed_dim).

        Args:
            tokens: (n, 1 + patches, image_width).
            prompts: depth -> (m, image_width) or (n, m, image_width). Depth 0 is appended before
                ln_pre; depth d >= 1 replaces the prompt tokens at the input of block d (the first
                ones, when it has fewer), or is appended there when nothing shallower was.
            regions: features of the class token, which are the image's, and of each patch behind
                it, projected alike: (n, 1 + patches, embed_dim).

        Raises:
            ValueError: tokens or prompts of another shape, or a depth that does not exist.
        """
        patches = (self.image_size // self.patch_size) ** 2
        inputs.check_image_tokens(tokens, 1 + patches, self.image_width)
        n = len(tokens)
        placed, _ = forward.checked_prompts(
            prompts, "image", self.image_layers, n, self.image_width
        )
        self._count("prompted_images" if placed else "images", n)

        def run(tokens: Tensor, *prompts: Tensor) -> Tensor:
            rows, at = len(tokens), dict(zip(placed, prompts, strict=True))
            with self._as_held():
                held, at = filled_up(tokens.to(self._dtype), at, self.running.rows)
                run_block = self.running.image()
                found = forward.encode_patches(self.clip.visual, held, at, regions, run_block)
                return found[:rows].float()

        kind = ("image", id(self), tuple(placed), regions)
        return calls.forward(kind, run, [tokens, *placed.values()])

    def encode_image(
        self,
        images: Tensor,
        prompts: Prompts | None = None,
        normalize: bool = False,
        regions: bool = False,
    ) -> Tensor:
        """`embed_patches`, then `encode_tokens`: images -> (n, embed_dim), unit if `normalize`."""
        features = self.encode_tokens(self.embed_patches(images), prompts, regions)
        return F.normalize(features, dim=-1) if normalize else features

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Sentences -> token ids (n, context_length), see `Tokenizer`."""
        return self.tokenizer(sentences)

    def encode_text(
        self,
        sentences: Sequence[str] | Tensor,
        prompts: Prompts | None = None,
        normalize: bool = False,
    ) -> Tensor:
        """Sentences or their token ids (n, context_length) -> (n, embed_dim).

        Args:
            sentences: with text prompts, sentences that start with m words to be replaced: see
                `placeholder_sentences`. Token ids are best left on the CPU: their lengths are read.
            prompts: depth -> (m, text_width) or (n, m, text_width), for positions 1..m: at depth 0
                instead of the word embeddings, at depth d >= 1 at the input of block d.
            normalize: whether features are divided by their length.

        Raises:
            ValueError: token ids or prompts of another shape, or a sentence of fewer than m tokens.
        """
        tokens = sentences if isinstance(sentences, Tensor) else self.tokenize(sentences)
        inputs.check_token_ids(tokens, self.context_length)
        n = len(tokens)
        placed, m = forward.checked_prompts(prompts, "text", self.text_layers, n, self.text_width)
        end = tokens.argmax(dim=-1)  # end-of-text has the highest id
        inputs.check_room(end, m)
        self._count("sentences", n)

        def run(tokens: Tensor, end: Tensor, *prompts: Tensor) -> Tensor:
            length, at = int(end.max()) + 1, dict(zip(placed, prompts, strict=True))
            tokens, end = tokens.to(self.device), end.to(self.device)
            with self._as_held():
                run_block = self.running.text()
                found = forward.encode_words(self.clip, tokens, end, length, at, run_block)
                return found.float()

        kind = ("text", id(self), tuple(placed))
        features = calls.forward(kind, run, [tokens, end, *placed.values()])
        return F.normalize(features, dim=-1) if normalize else features

    def _count(self, kind: str, n: int) -> None:
        for counter in (self.encoded, _counter.get()):
            if counter is not None:
                counter[kind] += n

    @property
    def _dtype(self) -> torch.dtype:
        """In which the towers compute."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def _as_held(self) -> torch.autocast:
        """The towers compute in the type of their weights, whatever is switched on around them."""
        return torch.autocast(self.device.type, enabled=False)

    def autocast(self) -> torch.autocast:
        """The precision of the towers, for what a prompting module computes beside them."""
        lowered = self.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=lowered)
