"""CoCoOp's words, one image and one class at a time, and all that reads features of each image."""

import pytest
import torch
from method_checks import encoded
from plain_towers import plain_image_features, plain_text_features
from prepared import NAMES, prepared
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import Backbone, placeholder_sentences
from fedmvp_core.evaluation import (
    alignment,
    configured_attack,
    evaluate_under_attack,
    predict_probabilities,
)
from fedmvp_core.local.model import LocalModel
from fedmvp_core.logits import label_logits
from fedmvp_core.prompting import Features
from fedmvp_core.prompting import conditional_context as module_file
from fedmvp_core.prompting.conditional_context import ConditionalContext


def drawn(backbone: Backbone, length: int = 2) -> ConditionalContext:
    """A network that matters as much as the words."""
    torch.manual_seed(0)
    module = ConditionalContext(backbone.text_width, backbone.embed_dim, length)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return module


def plain(
    backbone: Backbone, module: ConditionalContext, images: Tensor, names: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    """Image features (batch, d) and class features (batch, classes, d), by hand."""
    seen = plain_image_features(backbone, images, {})
    seen = seen / seen.norm(dim=-1, keepdim=True)
    sentences = placeholder_sentences(len(module.context), [f"{name}." for name in names])
    tokens, rows = backbone.tokenize(sentences), []
    for image in seen:
        middle = (module.narrow.weight @ image + module.narrow.bias).clamp(min=0)
        shift = module.widen.weight @ middle + module.widen.bias
        words = torch.stack([word + shift for word in module.context])
        features = plain_text_features(backbone, tokens, {0: words})
        rows.append(features / features.norm(dim=-1, keepdim=True))
    return seen, torch.stack(rows)


@torch.no_grad()
def test_every_image_has_class_features_of_its_own(tiny_backbone: Backbone) -> None:
    module, images = drawn(tiny_backbone), torch.rand(3, 3, 64, 64)
    names = ("cat", "snow owl")
    found = module(tiny_backbone, images, encoded(tiny_backbone, *names))
    seen, classes = plain(tiny_backbone, module, images, names)
    torch.testing.assert_close(found.image_features, seen, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.class_features, classes, rtol=0, atol=1e-5)
    assert (classes[0] - classes[1]).abs().max() > 1e-3


def test_an_attack_goes_through_the_text_that_is_made_for_an_image(
    tiny_backbone: Backbone,
) -> None:
    """The gradient is that of the tower written out by hand, text and all."""
    module, shard = drawn(tiny_backbone), prepared(tiny_backbone, 3)
    model = LocalModel(tiny_backbone, module, shard)
    images = (shard.images / 255).requires_grad_()
    with attack_mode(module):
        loss = F.cross_entropy(model.attacked_logits(images), shard.labels)
        (found,) = torch.autograd.grad(loss, images)
    seen, classes = plain(tiny_backbone, module, images, NAMES)
    scale = tiny_backbone.logit_scale

    def gradient(own: Tensor) -> Tensor:
        logits = torch.stack(
            [scale * torch.stack([z @ t for t in ts]) for z, ts in zip(seen, own, strict=True)]
        )
        loss = F.cross_entropy(logits, shard.labels)
        return torch.autograd.grad(loss, images, retain_graph=True)[0]

    expected, without_text = gradient(classes), gradient(classes.detach())
    largest = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * largest)
    assert (found - without_text).abs().max() > 0.05 * largest


def test_a_few_images_at_a_time_change_neither_features_nor_gradients(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, images = drawn(tiny_backbone), torch.rand(5, 3, 64, 64)
    task = encoded(tiny_backbone, *NAMES)
    answers = []
    for at_once in (512, 7, 1):  # all, two and one image
        monkeypatch.setattr(module_file, "SENTENCES_AT_ONCE", at_once)
        pixels = images.clone().requires_grad_()
        features = module(tiny_backbone, pixels, task).class_features
        wanted = (pixels, *module.parameters())
        answers.append((features, *torch.autograd.grad(features[..., 0].square().sum(), wanted)))
    for answer in answers[1:]:
        for found, expected in zip(answer, answers[0], strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_backward_pass_holds_one_parts_activations(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step keeps for its backward pass does not grow by a text forward an image."""
    module, task = drawn(tiny_backbone), encoded(tiny_backbone, *NAMES)

    def kept(images: int) -> int:
        numbers = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal numbers
            numbers += tensor.numel()
            return tensor

        seen = F.normalize(torch.rand(images, tiny_backbone.embed_dim), dim=-1)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module.class_features_for(tiny_backbone, seen, task, task.class_features)
        return numbers

    monkeypatch.setattr(module_file, "SENTENCES_AT_ONCE", 1)
    assert kept(8) < 2 * kept(4)
    apart = kept(8)
    monkeypatch.setattr(module_file, "SENTENCES_AT_ONCE", 512)
    assert apart < kept(8) / 20


@torch.no_grad()
def test_probabilities_and_alignment(tiny_backbone: Backbone) -> None:
    module, images = drawn(tiny_backbone), torch.rand(3, 3, 64, 64)
    task, labels = encoded(tiny_backbone, *NAMES), torch.tensor([2, 0, 1])
    seen, classes = plain(tiny_backbone, module, images, NAMES)
    found = predict_probabilities(tiny_backbone, module, task, images)
    scale = float(tiny_backbone.logit_scale)
    expected = torch.stack(
        [(scale * ts @ z).softmax(-1) for z, ts in zip(seen, classes, strict=True)]
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    own = [float(z @ ts[label]) for z, ts, label in zip(seen, classes, labels, strict=True)]
    assert alignment(Features(seen, classes), labels).tolist() == pytest.approx(own, abs=1e-6)
    several = torch.tensor([[1, 0, 1], [0, 1, -1], [1, 1, 1]])
    means = [
        float((ts @ z)[row == 1].mean()) for z, ts, row in zip(seen, classes, several, strict=True)
    ]
    assert alignment(Features(seen, classes), several).tolist() == pytest.approx(means, abs=1e-6)


@torch.no_grad()
def test_logits_of_several_labels_are_each_images_own(tiny_backbone: Backbone) -> None:
    draw = torch.Generator().manual_seed(0)
    seen = F.normalize(torch.randn(4, 6, generator=draw), dim=-1)
    classes = F.normalize(torch.randn(4, 3, 6, generator=draw), dim=-1)
    found = label_logits(seen, classes, 10.0)
    for image in range(4):
        alone = label_logits(seen[image : image + 1], classes[image], 10.0)
        torch.testing.assert_close(found[image : image + 1], alone)


def test_evaluation_attacks_it(tiny_backbone: Backbone) -> None:
    """Images that are right come nearer to another class than to their own, or on the way there."""
    module, shard = drawn(tiny_backbone), prepared(tiny_backbone, 4)
    right = predict_probabilities(tiny_backbone, module, shard.task, shard.images).argmax(dim=-1)
    attack = configured_attack("pgd", 8 / 255, 2)
    draw = torch.Generator().manual_seed(0)
    left = evaluate_under_attack(
        tiny_backbone, module, shard.task, shard.images, right, attack, draw
    )
    before = predict_probabilities(tiny_backbone, module, shard.task, shard.images)
    fell = before.gather(1, right[:, None]) - left.probabilities.gather(1, right[:, None])
    assert left.probabilities.shape == (4, len(NAMES))
    assert (fell > 0.01).all()
