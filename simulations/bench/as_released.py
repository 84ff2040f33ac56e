"""What the papers' code does in a step, written out plainly: the baseline of the benchmarks.

In every forward it encodes the sentences of all attributes twice, to the full context length: once
as what the prompts are made from, once as what images are compared with; copies the former for each
image; and encodes the other view with the frozen model, whatever the result is used for. Its attack
calls `backward`, which makes gradients of everything that requires them, not of the images alone.
Nothing is kept from one forward to the next.

Loss and gradients are those of the methods `fedmvp` and `fedmvp-capt`. The pieces of the frozen
CLIP are open_clip's own.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.tasks import Task

TINY = 1e-12  # so that a ratio of two losses of 0 is 0


@dataclass(frozen=True)
class Weights:
    """alpha: of the distance to the frozen features. capt: of the adversarial consistency."""

    alpha: float = 3.0
    capt: float = 2.0


class PromptNet(nn.Module):
    """Cross-attention from patches to attributes, a GEGLU feed-forward, and a pooling to prompts.

    Args:
        image_width: width of the image encoder's tokens.
        text_width: width of the text features.
        heads: of the attention.
        length: number of prompts.
    """

    def __init__(self, image_width: int, text_width: int, heads: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.project = nn.Linear(text_width, image_width)
        self.query_norm, self.key_norm = nn.LayerNorm(image_width), nn.LayerNorm(image_width)
        self.attend = nn.MultiheadAttention(image_width, heads, batch_first=True)
        self.norm = nn.LayerNorm(image_width)
        self.expand = nn.Linear(image_width, 8 * image_width)
        self.shrink = nn.Linear(4 * image_width, image_width)

    def forward(self, patches: Tensor, attributes: Tensor) -> Tensor:
        """(n, patches, width) and (n, attributes, text_width) -> (n, length, width)."""
        keys = self.project(attributes)
        tokens, _ = self.attend(self.query_norm(patches), self.key_norm(keys), keys)
        value, gate = self.expand(self.norm(tokens)).chunk(2, dim=-1)
        tokens = self.shrink(value * F.gelu(gate)) + tokens
        pooled = F.adaptive_avg_pool1d(tokens.transpose(1, 2), self.length)
        return pooled.transpose(1, 2)

    def copy_from(self, own: PromptFormer) -> None:
        """Take the numbers of this project's module; its low-rank factors are left at nothing."""
        inputs = (own.query, own.key, own.value)
        pairs = [
            (self.project, own.project_attributes),
            (self.query_norm, own.query_norm),
            (self.key_norm, own.key_norm),
            (self.attend.out_proj, own.attention_output),
            (self.norm, own.feed_forward.norm),
            (self.expand, own.feed_forward.expand),
            (self.shrink, own.feed_forward.shrink),
        ]
        for mine, theirs in pairs:
            mine.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            self.attend.in_proj_weight.copy_(torch.cat([part.weight for part in inputs]))
            self.attend.in_proj_bias.copy_(torch.cat([part.bias for part in inputs]))


class AsReleased(nn.Module):
    """CLIP with the prompt network, which alone requires gradients."""

    def __init__(self, backbone: Backbone, net: PromptNet, task: Task) -> None:
        super().__init__()
        self.clip: Any = backbone.clip
        self.net, self.task, self.backbone = net.to(backbone.device), task, backbone
        labels = range(len(task.class_names))
        self.sentences = [sentence for k in labels for sentence in task.attribute_sentences(k)]
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in _pixel_statistics(backbone))
        self.mean, self.std = mean.to(backbone.device), std.to(backbone.device)

    def forward(self, images: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes), and the mean distance to the frozen features of another view.

        images, view: (n, 3, size, size), in [0, 1].
        """
        attributes, compared = self._text(), self._text()
        each = attributes.expand(len(images), -1, -1)
        features = F.normalize(self._prompted(images, each), dim=-1)
        frozen = F.normalize(self.clip.encode_image(self._pixels(view)), dim=-1)
        per_class = compared.view(len(self.task.class_names), -1, compared.shape[-1])
        logits = torch.stack(
            [(self.scale * features @ own.T).mean(dim=1) for own in per_class], dim=1
        )
        return logits, (1 - F.cosine_similarity(features, frozen, dim=1)).mean()

    @property
    def scale(self) -> Tensor:
        """The inverse of CLIP's temperature."""
        return self.clip.logit_scale.exp()

    def _text(self) -> Tensor:
        """(sentences, d), unit, encoded anew."""
        tokens = self.backbone.tokenize(self.sentences).to(self.mean.device)
        return F.normalize(self.clip.encode_text(tokens), dim=-1)

    def _pixels(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def _prompted(self, images: Tensor, attributes: Tensor) -> Tensor:
        visual = self.clip.visual
        patches = visual.conv1(self._pixels(images)).flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(images), 1, -1)
        tokens = torch.cat([first, patches], dim=1) + visual.positional_embedding
        prompts = self.net(tokens[:, 1:], attributes)
        tokens = visual.transformer(visual.ln_pre(torch.cat([tokens, prompts], dim=1)))
        return visual.ln_post(tokens[:, 0]) @ visual.proj

    def fedmvp_loss(self, images: Tensor, view: Tensor, labels: Tensor, weights: Weights) -> Tensor:
        """Cross-entropy and the weighted distance to the frozen features."""
        logits, distance = self(images, view)
        return F.cross_entropy(logits, labels) + weights.alpha * distance

    def fedmvp_capt_loss(
        self, images: Tensor, view: Tensor, labels: Tensor, attacked: Tensor, weights: Weights
    ) -> Tensor:
        """The same and CAPT's consistency; the frozen model looks at the images once more."""
        clean, distance = self(images, view)
        adversarial, _ = self(attacked, view)
        frozen = self._frozen_logits(images)
        tuned_loss = F.cross_entropy(clean.detach(), labels, reduction="none")
        frozen_loss = F.cross_entropy(frozen, labels, reduction="none")
        trust = tuned_loss / (tuned_loss + frozen_loss + TINY)
        after = adversarial.log_softmax(dim=-1)
        to_itself = _divergence(clean.log_softmax(dim=-1), after)
        to_frozen = _divergence(frozen.log_softmax(dim=-1), after)
        consistency = ((1 - trust) * to_itself + trust * to_frozen).mean()
        loss = F.cross_entropy(clean, labels) + weights.alpha * distance
        return loss + weights.capt * consistency

    def _frozen_logits(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            tokens = self.backbone.tokenize(self.task.class_sentences()).to(self.mean.device)
            text = F.normalize(self.clip.encode_text(tokens), dim=-1)
            seen = F.normalize(self.clip.encode_image(self._pixels(images)), dim=-1)
            return self.scale * seen @ text.T

    def attack(
        self, images: Tensor, labels: Tensor, epsilon: float, step: float, steps: int, start: Tensor
    ) -> Tensor:
        """PGD on the cross-entropy; start: uniform in [-1, 1], of the images' shape."""
        attacked = (images + epsilon * start).clamp(0, 1)
        for _ in range(steps):
            attacked = attacked.detach().requires_grad_()
            logits, _ = self(attacked, images)
            F.cross_entropy(logits, labels).backward()
            assert attacked.grad is not None
            moved = attacked + step * attacked.grad.sign()
            attacked = (images + (moved - images).clamp(-epsilon, epsilon)).clamp(0, 1)
        self.zero_grad()
        return attacked.detach()


def _divergence(reference: Tensor, other: Tensor) -> Tensor:
    """KL(reference || other) of log-probabilities: (n,)."""
    return (reference.exp() * (reference - other)).sum(dim=-1)


def _pixel_statistics(backbone: Backbone) -> tuple[Any, Any]:
    return backbone.config.mean, backbone.config.std


def as_released(backbone: Backbone, own: PromptFormer, task: Task) -> AsReleased:
    """The baseline with the numbers of this project's module."""
    net = PromptNet(backbone.image_width, backbone.embed_dim, own.heads, own.prompt_length)
    net.copy_from(own)
    return AsReleased(backbone, net, task)
