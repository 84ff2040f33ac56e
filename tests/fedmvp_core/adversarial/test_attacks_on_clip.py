"""Attacks on the embedded tiny CLIP and its pictures; the slow ones against pyautoattack."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from run_configs import run_config
from torch import Tensor

from fedmvp_core.adversarial.attacks import evaluation_attack
from fedmvp_core.adversarial.iterated import default_step_size
from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.data.emoji.domains import load


@dataclass
class ZeroShot:
    """The embedded model against plain class names, and pictures in a seeded order."""

    backbone: Backbone
    classes: Tensor
    images: Tensor
    labels: Tensor

    def logits(self, images: Tensor) -> Tensor:
        features = self.backbone.encode_image(images, normalize=True)
        return self.backbone.logit_scale * features @ self.classes.T

    def right(self, images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            return self.logits(images).argmax(dim=1) == labels


def zero_shot(pretrained: str) -> ZeroShot:
    backbone = load_backbone("tiny", pretrained)
    config = run_config()
    dataset = load(config.data, config.run, backbone.image_size)
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(0))
    sentences = [f"a picture of a {name}." for name in dataset.class_names]
    images, labels = dataset.test.images[order].float() / 255, dataset.test.labels[order]
    return ZeroShot(backbone, backbone.encode_text(sentences, normalize=True), images, labels)


@pytest.fixture(scope="module")
def plain() -> ZeroShot:
    return zero_shot("embedded")


@pytest.mark.parametrize("name", ["pgd", "cw", "apgd-ce", "apgd-t", "ensemble"])
def test_nothing_is_left_at_a_quarter_of_the_range(plain: ZeroShot, name: str) -> None:
    case = plain
    right = torch.nonzero(case.right(case.images[:40], case.labels[:40])).flatten()
    assert len(right) >= 8
    images, labels = case.images[right], case.labels[right]
    draws = torch.Generator().manual_seed(0)
    with attack_mode(case.backbone):
        found = evaluation_attack(name)(case.logits, images, labels, 64 / 255, 10, draws)
    assert not case.right(found, labels).any()


EPSILON = 4 / 255
STEPS = 50
QUERIES = 400


@cache
def robust() -> ZeroShot:
    return zero_shot("embedded-robust")


@cache
def accuracy_after(name: str, steps: int, count: int = 500) -> float:
    """Percent of so many pictures that are right after an attack of ours: minutes, so done once."""
    case = robust()
    images, labels = case.images[:count], case.labels[:count]
    draws = torch.Generator().manual_seed(0)
    with attack_mode(case.backbone):
        found = evaluation_attack(name)(case.logits, images, labels, EPSILON, steps, draws)
    return 100 * case.right(found, labels).float().mean().item()


def accuracy_after_library(name: str) -> float:
    """The same by pyautoattack."""
    library, case = pytest.importorskip("pyautoattack"), robust()
    images, labels = case.images[:500], case.labels[:500]
    arguments: dict[str, Any] = {"eps": EPSILON, "version": "custom", "seed": 0}
    attack = library.AutoAttack(case.logits, attacks=[name], **arguments)
    attack.apgd.n_restarts, attack.apgd.n_iter = 1, STEPS
    attack.square.n_queries, attack.square.rescale_schedule = QUERIES, True
    with attack_mode(case.backbone), torch.random.fork_rng(devices=[]):
        found, _ = attack.run_standard_evaluation(images, labels, batch_size=500)
    return 100 * case.right(found, labels).float().mean().item()


def accuracy_after_torchattacks(name: str, steps: int) -> float:
    """The same by torchattacks, installed with --no-deps: it asks for an old requests."""
    library, case = pytest.importorskip("torchattacks"), robust()

    class Model(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return case.logits(images)

    model = Model().eval()
    attack = {
        "pgd": lambda: library.PGD(model, EPSILON, default_step_size(EPSILON, steps), steps),
        "apgd-ce": lambda: library.APGD(model, eps=EPSILON, steps=steps, n_restarts=1),
        "square": lambda: library.Square(model, eps=EPSILON, n_queries=steps, n_restarts=1),
    }[name]()
    images, labels = case.images[:500], case.labels[:500]
    with attack_mode(case.backbone), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = attack(images, labels)
    return 100 * case.right(found, labels).float().mean().item()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("pgd", 20), ("apgd-ce", STEPS), ("square", QUERIES)])
def test_as_strong_as_torchattacks(name: str, steps: int) -> None:
    assert abs(accuracy_after_torchattacks(name, steps) - accuracy_after(name, steps)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("apgd-ce", STEPS), ("square", QUERIES)])
def test_as_strong_as_the_library(name: str, steps: int) -> None:
    assert abs(accuracy_after_library(name) - accuracy_after(name, steps)) <= 1


@pytest.mark.slow
def test_no_gradient_is_masked() -> None:
    """An attack without gradients finds nothing that those with gradients miss."""
    case, count = robust(), 150
    clean = 100 * case.right(case.images[:count], case.labels[:count]).float().mean().item()
    with_gradients = accuracy_after("apgd-ce", STEPS, count)
    assert clean - 1 > with_gradients > 0
    assert accuracy_after("square", QUERIES, count) >= with_gradients - 1
