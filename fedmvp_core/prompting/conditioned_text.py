"""Texts of a class under several conditions, each transported to its patches: FedMPT.

FedMPT: Federated Multi-Label Prompt Tuning of Vision-Language Models (Wang et al., CVPR 2026). From
the paper: words "[learned][condition][learned][class]", a bottleneck adapter of width 32 for each
condition, a transport between conditions and patches whose rows are a softmax of the patches'
importance and whose columns are even, and a gate that weighs conditions. The released code has no
transport, gate or adapters. This project's, since the paper's form is not public here: the adapters
are residual, start at zero and act on patches; importance is the cosine with the image, scaled by
the paper's tau; a condition's score is the mean cosine of what is transported to it; the gate is
linear in the image feature. The paper's lambda is not used.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.prompting import Features, Prompting
from fedmvp_core.prompting.sentences import PromptedSentences
from fedmvp_core.prompting.text_context import CONTEXT_STD
from fedmvp_core.prompting.transport import (
    constant_in_training,
    less_shared,
    transport,
    with_shared,
)
from fedmvp_core.tasks import EncodedTask, Task

IMPORTANCE_SCALE = 4.0  # tau


@dataclass(frozen=True)
class ConditionedTextOptions:
    """The conditions and the words around them, the adapters and the transport."""

    conditions: str = option(
        "color,background,scene type,spatial layout,pose",
        "what a class is looked at under, with commas; any words that fit all classes",
    )
    condition_words: Annotated[int, Between(1, 64)] = option(4, "learned words before a condition")
    class_words: Annotated[int, Between(1, 64)] = option(4, "learned words before a class")
    adapter_width: Annotated[int, Between(1, 4096)] = option(32, "bottleneck of the adapters")
    transport_epsilon: Annotated[float, Between(0.001, 10)] = option(
        0.1, "weight of the transport's entropy"
    )


class ConditionedText(Prompting):
    """At ViT-B/16 with the five default conditions there are 173,221 prompt tensor elements.

    Args:
        conditions: one or more, none of them empty.
    """

    def __init__(
        self,
        text_width: int,
        embed_dim: int,
        conditions: tuple[str, ...],
        options: ConditionedTextOptions,
    ) -> None:
        super().__init__()
        self.before_condition = nn.Parameter(
            CONTEXT_STD * torch.randn(options.condition_words, text_width)
        )
        self.before_class = nn.Parameter(CONTEXT_STD * torch.randn(options.class_words, text_width))
        adapters = [_adapter(embed_dim, options.adapter_width) for _ in conditions]
        self.adapters = nn.ModuleList(adapters)
        self.gate = nn.Linear(embed_dim, len(conditions))
        self._conditions, self._epsilon = conditions, options.transport_epsilon
        self._kept: dict[str, tuple[Tensor, PromptedSentences]] = {}

    def prompts_images(self) -> bool:
        """No: the image's own feature stays as it is, whatever becomes of its patches."""
        return False

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit frozen features (batch, d)."""
        return backbone.encode_image(images, normalize=True)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, conditions, d), unit."""
        names = task.task.spoken_names
        return torch.stack([self._texts(backbone, c, names) for c in self._conditions], dim=1)

    def _texts(self, backbone: Backbone, condition: str, names: tuple[str, ...]) -> Tensor:
        """(classes, d), unit, under one condition."""
        words, sentences = self._words(backbone, condition)
        prompts = torch.cat([self.before_condition, words, self.before_class])
        tokens = sentences.token_ids(backbone, [f"{name}." for name in names])
        return backbone.encode_text(tokens, {0: prompts}, normalize=True)

    def _words(self, backbone: Backbone, condition: str) -> tuple[Tensor, PromptedSentences]:
        """The condition's frozen word embeddings, (words, text_width), and room for all words."""
        if condition not in self._kept:
            tokens = backbone.tokenize([condition])
            end = int(tokens.argmax(dim=-1))
            with torch.no_grad():
                words = backbone.clip.token_embedding(tokens[:, 1:end].to(backbone.device))[0]
            length = len(self.before_condition) + len(words) + len(self.before_class)
            key = f"condition '{condition}' with condition-words and class-words"
            self._kept[condition] = words.float(), PromptedSentences(length, key)
        return self._kept[condition]

    def check_task(self, backbone: Backbone, task: Task) -> None:
        """Raises ConfigError when a class name of the task leaves no room beside the words."""
        self.check_room(backbone, task.spoken_names)

    def check_room(self, backbone: Backbone, names: tuple[str, ...]) -> None:
        """Raises ConfigError when a class name leaves no room for a condition and the words."""
        for condition in self._conditions:
            _, sentences = self._words(backbone, condition)
            sentences.token_ids(backbone, [f"{name}." for name in names])

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """Logits: s * sum_n gate_n(x) * the mean cosine of what goes to condition n of a class."""
        seen = backbone.encode_image(images, normalize=True, regions=True)
        image, patches = seen[:, 0], seen[:, 1:]
        adapted = [F.normalize(patches + adapter(patches), dim=-1) for adapter in self.adapters]
        texts = with_shared(class_features, asked)
        cosines = torch.einsum("nbpd,cnd->bcpn", torch.stack(adapted), texts)
        importance = (IMPORTANCE_SCALE * patches @ image[:, :, None]).squeeze(-1).softmax(dim=-1)
        conditions = len(self.adapters)
        with constant_in_training(images):
            even = cosines.new_ones(conditions) / conditions
            plan = transport(1 - cosines, importance[:, None], even, self._epsilon)
        scores = conditions * (plan * cosines).sum(dim=-2)  # (batch, classes, conditions)
        gate = self.gate(image).softmax(dim=-1)
        logits = backbone.logit_scale * (scores * gate[:, None]).sum(dim=-1)
        classes = F.normalize(class_features.mean(dim=1), dim=-1)
        return Features(image, classes, less_shared(logits, asked))


def _adapter(width: int, bottleneck: int) -> nn.Sequential:
    """Linear, ReLU, Linear; the last starts at zero, so that patches begin as they are."""
    last = nn.Linear(bottleneck, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, bottleneck), nn.ReLU(), last)


def build_conditioned_text(
    backbone: Backbone, options: ConditionedTextOptions, words: ClassWords
) -> ConditionedText:
    """The module; raises ConfigError for an empty condition, or no room for all words."""
    conditions = tuple(condition.strip() for condition in options.conditions.split(","))
    if not all(conditions) or len(set(conditions)) < len(conditions):
        raise ConfigError(
            f"conditions is '{options.conditions}'; allowed: different words with commas between, "
            "such as 'color,pose'"
        )
    module = ConditionedText(backbone.text_width, backbone.embed_dim, conditions, options)
    module.check_room(backbone, words.spoken)
    return module
