"""Groups of text and image prompts, of which a client hands two over: FedMGP.

FedMGP: Personalized Federated Learning with Multi-Group Text-Visual Prompts (Bo et al., NeurIPS
2025). A client has `groups` groups. It begins a round with the global ones in the places of those
that it sent last, trains all, and draws the ones to send, by their nearness to the global ones.

Here the groups that were sent and received stand in tensors of their own, so that nothing but them
travels: after its last step a client moves the drawn groups there and keeps the rest. The order of
groups plays no part in what a model says. Text and image prompts of a group are drawn together;
the public code draws them apart, and in the first round evenly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone
from fedmvp_core.config.options import Between, option
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.coupled import PROMPT_STD
from fedmvp_core.prompting.prompting import Features
from fedmvp_core.prompting.sentences import PromptedSentences, WordsBeforeNames
from fedmvp_core.prompting.transport import less_shared, with_shared
from fedmvp_core.tasks import EncodedTask


@dataclass(frozen=True)
class PromptGroupsOptions:
    """How many groups, of how many prompts, and how many are sent."""

    groups: Annotated[int, Between(2, 32)] = option(5, "groups of a text and an image prompt")
    sent_groups: Annotated[int, Between(1, 31)] = option(2, "groups that a client sends")
    group_length: Annotated[int, Between(1, 64)] = option(2, "tokens of each prompt of a group")


class PromptGroups(WordsBeforeNames):
    """Logits are the mean over groups of CLIP's; image prompts come in at the input.

    At ViT-B/16 with 5 groups of length 2, 2 of them sent, 5,120 prompt tensor elements are sent and
    7,680 are kept.
    """

    def __init__(self, text_width: int, image_width: int, options: PromptGroupsOptions) -> None:
        super().__init__()
        sent, kept = options.sent_groups, options.groups - options.sent_groups

        def drawn(count: int, width: int) -> nn.Parameter:
            return nn.Parameter(PROMPT_STD * torch.randn(count, options.group_length, width))

        self.shared_text, self.shared_image = drawn(sent, text_width), drawn(sent, image_width)
        self.own_text, self.own_image = drawn(kept, text_width), drawn(kept, image_width)
        self._sentences = PromptedSentences(options.group_length, "group-length")

    def personal_tensors(self) -> tuple[str, ...]:
        """The groups that the client did not send."""
        return ("own_text", "own_image")

    def text_groups(self) -> Tensor:
        """(groups, length, text_width), those that were received first."""
        return torch.cat([self.shared_text, self.own_text])

    def image_groups(self) -> Tensor:
        """(groups, length, image_width), those that were received first."""
        return torch.cat([self.shared_image, self.own_image])

    def image_features(self, backbone: Backbone, images: Tensor, task: EncodedTask) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> unit means of the groups' (batch, d)."""
        return F.normalize(self.seen_by_groups(backbone, images).mean(dim=1), dim=-1)

    def class_features(self, backbone: Backbone, task: EncodedTask) -> Tensor:
        """(classes, groups, d), unit."""
        tokens = self.token_ids(backbone, task.task.spoken_names)
        groups = self.text_groups()
        words = groups.repeat(len(tokens), 1, 1)  # class by class, its groups in turn
        sentences = tokens.repeat_interleave(len(groups), dim=0)
        features = backbone.encode_text(sentences, {0: words}, normalize=True)
        return features.view(len(tokens), len(groups), -1)

    def seen_by_groups(self, backbone: Backbone, images: Tensor) -> Tensor:
        """images: (batch, 3, height, width), in [0, 1] -> (batch, groups, d), unit."""
        groups, patches = self.image_groups(), backbone.embed_patches(images)
        tokens = patches.repeat_interleave(len(groups), dim=0)
        features = backbone.encode_tokens(tokens, {0: groups.repeat(len(patches), 1, 1)})
        return F.normalize(features, dim=-1).view(len(patches), len(groups), -1)

    def compared(
        self, backbone: Backbone, seen: Tensor, class_features: Tensor, asked: EncodedTask
    ) -> Features:
        """seen: (batch, groups, d) -> features, and the mean of the groups' logits."""
        texts = with_shared(class_features, asked)
        cosines = torch.einsum("bgd,cgd->bc", seen, texts) / seen.shape[1]
        logits = less_shared(backbone.logit_scale * cosines, asked)
        image, classes = (F.normalize(part.mean(dim=1), dim=-1) for part in (seen, class_features))
        return Features(image, classes, logits)

    def recognise(
        self,
        backbone: Backbone,
        images: Tensor,
        task: EncodedTask,
        class_features: Tensor,
        asked: EncodedTask,
    ) -> Features:
        """Every group sees every image."""
        seen = self.seen_by_groups(backbone, images)
        return self.compared(backbone, seen, class_features, asked)

    @torch.no_grad()
    def hand_over(self, received: Mapping[str, Tensor], draw: torch.Generator) -> None:
        """Move the groups to send to the front: drawn by softmax of the nearness to received ones.

        A group's nearness is its largest cosine with a received one, the mean of text and image.
        """
        sides = {"text": self.text_groups(), "image": self.image_groups()}
        near = torch.zeros(len(sides["text"]))
        if received:
            cosines = [_cosines(own, received[f"shared_{side}"]) for side, own in sides.items()]
            near = torch.stack(cosines).mean(dim=0).amax(dim=-1).cpu()
        sent = len(self.shared_text)
        chosen = torch.multinomial(near.softmax(dim=0), sent, generator=draw).tolist()
        rest = [group for group in range(len(near)) if group not in chosen]
        for side, groups in sides.items():
            getattr(self, f"shared_{side}").copy_(groups[chosen])
            getattr(self, f"own_{side}").copy_(groups[rest])


def _cosines(groups: Tensor, others: Tensor) -> Tensor:
    """(groups, others), of prompts as long vectors."""
    return F.cosine_similarity(groups.flatten(1)[:, None], others.flatten(1)[None], dim=-1)


def build_prompt_groups(
    backbone: Backbone, options: PromptGroupsOptions, words: ClassWords
) -> PromptGroups:
    """The groups; raises ConfigError when none would stay, or a class name leaves no room."""
    if options.sent_groups >= options.groups:
        raise ConfigError(
            f"sent-groups is {options.sent_groups}; allowed: 1 to {options.groups - 1}, fewer than "
            f"the {options.groups} groups"
        )
    module = PromptGroups(backbone.text_width, backbone.image_width, options)
    module.token_ids(backbone, words.spoken)
    return module
