"""FedTPG's generator, one head and one query at a time, and what it reads."""

import math

import torch
from method_checks import encoded
from plain_towers import layer_norm, plain_text_features
from prepared import NAMES, random_images
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache, placeholder_sentences
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalModel
from fedmvp_core.local.shard import prepare_shard
from fedmvp_core.prompting.generated_context import GeneratedContext
from fedmvp_core.tasks import Task


def drawn(backbone: Backbone, length: int = 4) -> GeneratedContext:
    """A generator of which every tensor matters."""
    torch.manual_seed(0)
    module = GeneratedContext(backbone.text_width, backbone.embed_dim, length)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return module


def plain_words(module: GeneratedContext, names: Tensor) -> Tensor:
    """names: (classes, d), unit -> (length, text_width)."""
    width, heads = module.queries.shape[1], 4
    size = width // heads
    seen = layer_norm(names, module.name_norm)
    weights = dict(module.attention.named_parameters())
    (wq, wk, wv), (bq, bk, bv) = (
        weights[f"in_proj_{kind}"].chunk(3) for kind in ("weight", "bias")
    )
    made = []
    for query in layer_norm(module.queries, module.query_norm):
        q, mixed = wq @ query + bq, []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            keys = [(wk @ name + bk)[part] for name in seen]
            values = [(wv @ name + bv)[part] for name in seen]
            scores = [math.exp(float(q[part] @ key) / math.sqrt(size)) for key in keys]
            mixed.append(sum(s / sum(scores) * v for s, v in zip(scores, values, strict=True)))
        token = weights["out_proj.weight"] @ torch.cat(mixed) + weights["out_proj.bias"]
        feed = module.feed_forward
        wide = feed.expand.weight @ layer_norm(token, feed.norm) + feed.expand.bias
        value, gate = wide[: 4 * width], wide[4 * width :]
        gated = value * gate * 0.5 * (1 + torch.erf(gate / math.sqrt(2)))
        made.append(feed.shrink.weight @ gated + feed.shrink.bias + token)
    return torch.stack(made)


@torch.no_grad()
def test_words_are_made_of_the_names_and_stand_before_them(tiny_backbone: Backbone) -> None:
    module, names = drawn(tiny_backbone), ("cat", "snow owl", "cow")
    found = module.class_features(tiny_backbone, encoded(tiny_backbone, *names))
    frozen = plain_text_features(tiny_backbone, tiny_backbone.tokenize(names), {})
    words = plain_words(module, frozen / frozen.norm(dim=-1, keepdim=True))
    sentences = tiny_backbone.tokenize(placeholder_sentences(4, [f"{n}." for n in names]))
    expected = plain_text_features(tiny_backbone, sentences, {0: words})
    expected = expected / expected.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_names_are_encoded_once(tiny_backbone: Backbone) -> None:
    module, task = drawn(tiny_backbone), encoded(tiny_backbone, "cat", "dog")
    tiny_backbone.encoded.clear()
    for _ in range(3):
        module.class_features(tiny_backbone, task)
    assert tiny_backbone.encoded == {"sentences": 2 + 3 * 2}


@torch.no_grad()
def test_a_clients_words_are_made_of_its_own_classes_whatever_an_attack_aims_at(
    tiny_backbone: Backbone,
) -> None:
    module = drawn(tiny_backbone)
    every = ("ant", *NAMES)
    task, more = (Task(n, ((),) * len(n), "a {class}.", "a {class}.") for n in (NAMES, every))
    images = random_images(4)
    shard, cache = Shard(0, images, images, task), FeatureCache(None)
    wide = LocalModel(tiny_backbone, module, prepare_shard(tiny_backbone, shard, cache, more))
    own = LocalModel(tiny_backbone, module, prepare_shard(tiny_backbone, shard, cache))
    torch.testing.assert_close(wide.classes, own.classes)
    assert (wide.attacked_classes[1:] - own.classes).abs().max() > 1e-4
