"""FedPGP's words, against the text tower written out by hand."""

import torch
from method_checks import encoded
from plain_towers import plain_text_features
from torch.nn import functional as F

from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.prompting.low_rank_text import LowRankText

NAMES = ("cat", "owl")


@torch.no_grad()
def test_a_clients_words_are_the_shared_ones_and_its_own_change(tiny_backbone: Backbone) -> None:
    torch.manual_seed(0)
    module = LowRankText(tiny_backbone.text_width, ("cat", "dog"), length=3, rank=2)
    for value in module.parameters():
        value.mul_(20)
    words = module.context.clone()
    for i in range(3):
        for k in range(2):
            words[i] += module.left[i, k] * module.right[k]
    tokens = tiny_backbone.tokenize(placeholder_sentences(3, [f"{name}." for name in NAMES]))
    task = encoded(tiny_backbone, *NAMES)
    for found, own in (
        (module.class_features(tiny_backbone, task), words),
        (module.shared_class_features(tiny_backbone, task), module.context),
    ):
        plain = F.normalize(plain_text_features(tiny_backbone, tokens, {0: own}), dim=-1)
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


def test_only_the_change_is_personal() -> None:
    module = LowRankText(8, NAMES, length=3, rank=2)
    assert set(module.prompt_tensors()) == {"context", "left", "right"}
    assert set(module.personal_tensors()) == {"left", "right"}
