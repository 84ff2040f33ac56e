"""Adversarial fine-tuning: what it changes, what it leaves, and that it helps."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.iterated import pgd_restarts
from fedmvp_core.backbone import Backbone
from fedmvp_core.errors import AttackError
from simulations.assets.tecoa import finetune_image_encoder

SENTENCES = ("a picture of a bird.", "a picture of a fish.", "a picture of a tree.")


@pytest.fixture
def pictures() -> tuple[Tensor, Tensor]:
    """12 noisy pictures of three colours, and their classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(12) % 3
    images = 0.3 + 0.3 * torch.rand(12, 3, 64, 64, generator=generator)
    images[torch.arange(12), labels] += 0.06
    return images, labels


def logits_function(backbone: Backbone) -> Callable[[Tensor], Tensor]:
    with torch.no_grad():
        classes = backbone.encode_text(SENTENCES, normalize=True)
    return lambda pixels: (
        backbone.logit_scale * backbone.encode_image(pixels, normalize=True) @ classes.T
    )


def robust_accuracy(backbone: Backbone, images: Tensor, labels: Tensor, epsilon: float) -> float:
    logits_of = logits_function(backbone)
    attacked = pgd_restarts(logits_of, images, labels, epsilon, epsilon / 2, 4)
    with torch.no_grad():
        return (logits_of(attacked).argmax(dim=1) == labels).float().mean().item()


def test_accuracy_under_attack_is_above_that_of_plain_fine_tuning(
    tiny_backbone: Backbone, pictures: tuple[Tensor, Tensor]
) -> None:
    def accuracies(radius: float) -> tuple[float, float]:
        tuned = finetune_image_encoder(
            tiny_backbone,
            *pictures,
            SENTENCES,
            epsilon=radius,
            step_size=6 / 255,
            steps=1,
            learning_rate=0.02,
            epochs=12,
            batch_size=6,
        )
        with torch.no_grad():
            guesses = logits_function(tuned)(pictures[0]).argmax(dim=1)
        clean = (guesses == pictures[1]).float().mean().item()
        return clean, robust_accuracy(tuned, *pictures, epsilon=4 / 255)

    plain_clean, plain_robust = accuracies(0.0)
    clean, robust = accuracies(6 / 255)
    assert plain_clean == clean == 1.0
    assert robust > plain_robust + 0.25


def test_only_the_copy_s_image_encoder_changes_and_the_result_is_frozen(
    tiny_backbone: Backbone, pictures: tuple[Tensor, Tensor]
) -> None:
    before = copy.deepcopy(tiny_backbone.clip.state_dict())
    hash_before = tiny_backbone.weights_hash
    state_before = torch.get_rng_state()
    tuned = finetune_image_encoder(
        tiny_backbone, *pictures, SENTENCES, learning_rate=0.01, epochs=1, steps=1
    )
    assert torch.equal(torch.get_rng_state(), state_before)
    for name, value in tuned.clip.state_dict().items():
        assert torch.equal(tiny_backbone.clip.state_dict()[name], before[name]), name
        assert torch.equal(value, before[name]) != name.startswith("visual."), name
    assert tuned.weights_hash != tiny_backbone.weights_hash == hash_before
    assert not any(p.requires_grad for p in (*tuned.parameters(), *tiny_backbone.parameters()))


def test_without_a_radius_it_is_plain_fine_tuning(
    tiny_backbone: Backbone, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    tuned = finetune_image_encoder(
        tiny_backbone,
        images,
        labels,
        SENTENCES,
        epsilon=0.0,
        steps=1,
        learning_rate=0.01,
        epochs=2,
        batch_size=12,
    )
    expected = copy.deepcopy(tiny_backbone)
    weights = list(expected.clip.visual.requires_grad_(True).parameters())
    velocity = [torch.zeros_like(weight) for weight in weights]
    for rate in (0.01, 0.005):  # half a cosine over two steps
        loss = F.cross_entropy(logits_function(expected)(images), labels)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, speed, gradient in zip(weights, velocity, gradients, strict=True):
                speed.mul_(0.9).add_(gradient)
                weight.sub_(rate * speed)
    for found, weight in zip(tuned.clip.visual.parameters(), weights, strict=True):
        assert torch.allclose(found, weight, atol=1e-5)


def test_the_seed_decides_and_bytes_are_read_as_pixels(
    tiny_backbone: Backbone, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = (pictures[0][:6] * 255).to(torch.uint8), pictures[1][:6]

    def tune(given: Tensor, seed: int) -> Tensor:
        tuned = finetune_image_encoder(
            tiny_backbone, given, labels, SENTENCES, learning_rate=0.01, epochs=1, seed=seed
        )
        projection: Tensor = tuned.clip.visual.proj
        return projection

    assert torch.equal(tune(images, 1), tune(images / 255, 1))
    assert not torch.equal(tune(images, 1), tune(images, 2))


def test_labels_without_a_sentence_are_refused(
    tiny_backbone: Backbone, pictures: tuple[Tensor, Tensor]
) -> None:
    images, labels = pictures
    with pytest.raises(AttackError, match="labels are for 9 classes, the model returns 3"):
        finetune_image_encoder(tiny_backbone, images, labels + 6, SENTENCES)
