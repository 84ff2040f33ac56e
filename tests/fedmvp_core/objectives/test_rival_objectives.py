"""Objectives of the rivals, by hand, on a real model: FedKgCoOp, FedCLIP, CalFAT, PMG-AFT, AT."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from method_checks import built
from prepared import NAMES, prepared, random_images, small_task
from torch import Tensor

from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.objectives import Batch
from fedmvp_core.prompting import Features, Prompting
from fedmvp_core.tasks import Task
from fedmvp_core.training import train_locally

Make = Callable[..., RunConfig]
IMAGES = 5


class Case:
    """A model of learned words that matter, and a batch of its shard, attacked at random."""

    def __init__(self, backbone: Backbone, config: RunConfig, shard: PreparedShard) -> None:
        self.method, self.shard = find_method(config), shard
        self.prompting: Prompting = built(backbone, config)
        with torch.no_grad():
            for parameter in self.prompting.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw(1)))
        self.model = LocalModel(backbone, self.prompting, shard)
        images = shard.images.float() / 255
        noise = 0.2 * (torch.rand(images.shape, generator=draw(2)) - 0.5)
        frozen = torch.zeros(len(images), backbone.embed_dim)
        scores = torch.zeros(len(images), len(NAMES))
        attacked = (images + noise).clamp(0, 1)
        self.batch = Batch(images, shard.labels, frozen, scores, attacked)

    def loss(self) -> float:
        return self.method.loss()(self.model, self.batch).value.item()

    def logits(self, images: Tensor) -> list[list[float]]:
        rows: list[list[float]] = self.model.predict(images)[1].tolist()
        return rows


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def case(tiny_backbone: Backbone, default_config: Make) -> Callable[..., Case]:
    def make(objective: str, shard: PreparedShard | None = None, **keys: object) -> Case:
        config = default_config(method="promptfl", objective=objective, **keys)
        return Case(tiny_backbone, config, shard or prepared(tiny_backbone, IMAGES))

    return make


def cross_entropy(rows: list[list[float]], labels: list[int]) -> float:
    each = [
        math.log(sum(math.exp(v - row[label]) for v in row))
        for row, label in zip(rows, labels, strict=True)
    ]
    return sum(each) / len(each)


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in row)
    return [math.exp(v) / total for v in row]


def divergence(targets: list[list[float]], rows: list[list[float]]) -> float:
    each = [
        sum(p * math.log(p / q) for p, q in zip(softmax(t), softmax(r), strict=True))
        for t, r in zip(targets, rows, strict=True)
    ]
    return sum(each) / len(each)


def test_fedkgcoop_by_hand(case: Callable[..., Case]) -> None:
    made = case("fedkgcoop")
    learned, frozen = made.model.classes.detach(), made.shard.task.zero_shot_features
    cosines = [float(a @ b / a.norm() / b.norm()) for a, b in zip(learned, frozen, strict=True)]
    entropy = cross_entropy(made.logits(made.batch.images), made.batch.labels.tolist())
    away = 1 - sum(cosines) / len(cosines)
    assert away > 0.01
    assert made.loss() == pytest.approx(entropy + 8 * away, rel=1e-5)
    other = case("fedkgcoop", objective_options="text-weight=0")
    assert other.loss() == pytest.approx(entropy, rel=1e-5)


@pytest.mark.parametrize("method", ["promptfl", "fedcocoop"])
def test_fedkgcoop_holds_text_of_each_image_too(
    tiny_backbone: Backbone, default_config: Make, method: str
) -> None:
    config = default_config(method=method, objective="fedkgcoop")
    made = Case(tiny_backbone, config, prepared(tiny_backbone, IMAGES))
    features, logits = made.model.predict(made.batch.images)
    classes = features.class_features.detach().expand(IMAGES, -1, -1)
    frozen = made.shard.task.zero_shot_features
    cosines = [float(torch.cosine_similarity(own, frozen, dim=-1).mean()) for own in classes]
    entropy = cross_entropy(logits.tolist(), made.batch.labels.tolist())
    expected = entropy + 8 * (1 - sum(cosines) / IMAGES)
    assert made.loss() == pytest.approx(expected, rel=1e-5)


def test_fedclip_by_hand(case: Callable[..., Case]) -> None:
    """Each image against the texts of the batch, and each text against its images."""
    made = case("fedclip")
    labels = made.batch.labels.tolist()
    seen = made.model.predict(made.batch.images)[0].image_features.detach()
    scale = float(made.model.backbone.logit_scale)
    texts = made.model.classes.detach()[made.batch.labels]
    pairs = [[scale * float(z @ t) for t in texts] for z in seen]
    turned = [list(column) for column in zip(*pairs, strict=True)]
    own = list(range(IMAGES))
    assert len(set(labels)) < IMAGES
    expected = (cross_entropy(pairs, own) + cross_entropy(turned, own)) / 2
    assert made.loss() == pytest.approx(expected, rel=1e-5)


def test_at_is_adversarial_under_its_name_in_tables(case: Callable[..., Case]) -> None:
    made = case("at")
    expected = cross_entropy(made.logits(made.batch.adversarial), made.batch.labels.tolist())
    assert made.loss() == pytest.approx(expected, rel=1e-5)
    assert made.loss() == case("adversarial").loss()
    assert made.method.objective is not None
    assert (made.method.objective.name, made.method.objective.attack) == ("at", "ce")


def test_pmg_by_hand(case: Callable[..., Case]) -> None:
    made = case("pmg")
    clean, attacked = made.logits(made.batch.images), made.logits(made.batch.adversarial)
    backbone = made.model.backbone
    with torch.no_grad():
        seen = backbone.encode_image(made.batch.adversarial, normalize=True)
    frozen = (backbone.logit_scale * seen @ made.shard.task.zero_shot_features.T).tolist()
    entropy = cross_entropy(attacked, made.batch.labels.tolist())
    to_frozen, to_clean = divergence(frozen, attacked), divergence(clean, attacked)
    assert min(to_frozen, to_clean) > 1e-5
    assert made.loss() == pytest.approx(entropy + to_frozen + to_clean, rel=1e-4)
    words = "frozen-weight=2 clean-weight=0"
    other = case("pmg", objective_options=words).loss()
    assert other == pytest.approx(entropy + 2 * to_frozen, rel=1e-4)


def with_labels(shard: PreparedShard, labels: list[int]) -> PreparedShard:
    return dataclasses.replace(shard, labels=torch.tensor(labels))


def prior(counts: list[int], weight: float = 0.1) -> list[float]:
    return [weight * math.log(count + 1e-7) for count in counts]


@pytest.mark.parametrize(
    ("labels", "counts"), [([0, 0, 0, 1, 2], [3, 1, 1]), ([1, 1, 1, 2, 1], [0, 4, 1])]
)
def test_calfat_by_hand(
    tiny_backbone: Backbone, case: Callable[..., Case], labels: list[int], counts: list[int]
) -> None:
    """A class of which the client has no image has a count of zero, and a finite logit."""
    made = case("calfat", with_labels(prepared(tiny_backbone, IMAGES), labels))
    more = prior(counts)
    adjusted = [
        [v + m for v, m in zip(row, more, strict=True)]
        for row in made.logits(made.batch.adversarial)
    ]
    assert made.loss() == pytest.approx(cross_entropy(adjusted, labels), rel=1e-5)
    plain = case("calfat", made.shard, objective_options="calibration=0").loss()
    assert plain == pytest.approx(case("at", made.shard).loss(), rel=1e-5)


def test_the_attack_of_calfat_climbs_the_divergence_of_adjusted_logits(
    tiny_backbone: Backbone, case: Callable[..., Case]
) -> None:
    """Of all attacked classes; those that are not the client's have a count of zero."""
    every = ("ant", *NAMES, "emu")
    images = random_images(IMAGES)
    shard = Shard(0, images, images, small_task())
    aimed = Task(every, ((),) * len(every), "a {class}.", "a {class}.")
    wide = prepare_shard(tiny_backbone, shard, FeatureCache(None), aimed)
    made = case("calfat", wide)
    attack = made.method.attack()
    assert attack is not None
    targets = wide.attack_labels(made.batch.labels)
    found = attack(made.model, made.batch.images, targets, draw(0))
    more = torch.tensor(prior([0, 2, 2, 1, 0]))

    def by_pgd(adjusted: Tensor) -> Tensor:
        return pgd(
            lambda pixels: made.model.attacked_logits(pixels) + adjusted,
            made.batch.images,
            targets,
            4 / 255,
            2 / 3 * 4 / 255,
            3,
            loss="kl",
            generator=draw(0),
        )

    assert torch.equal(found, by_pgd(more))
    assert not torch.equal(found, by_pgd(torch.zeros(5)))


def test_a_client_with_classes_of_no_image_trains_by_calfat(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(method="promptfl", objective="calfat", local_epochs=1)
    shard = with_labels(prepared(tiny_backbone, 4), [1, 1, 1, 1])
    module = built(tiny_backbone, config)
    result = train_locally(tiny_backbone, module, find_method(config), shard, config, LocalRound())
    assert all(math.isfinite(loss) for loss in result.steps["loss"])
    assert all(value.isfinite().all() for value in module.prompt_tensors().values())


def test_frozen_logits_are_zero_shot(tiny_backbone: Backbone, case: Callable[..., Case]) -> None:
    made = case("pmg")
    images, task = made.batch.images, made.shard.task
    found = made.model.frozen_logits(images.requires_grad_())
    features = Features(tiny_backbone.encode_image(images, normalize=True), task.zero_shot_features)
    expected = tiny_backbone.logit_scale * features.image_features @ features.class_features.T
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
