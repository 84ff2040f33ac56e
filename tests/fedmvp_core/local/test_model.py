"""What a step of adversarial training costs, and what its attack sees."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from prepared import NAMES, prepared, random_images, small_task
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone, FeatureCache, load_backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.config.options import NoOptions
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.errors import FedMVPError
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.losses.multi_label import asymmetric_loss, binary_cross_entropy, softmax_loss
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA, PromptFormer
from fedmvp_core.tasks import Task
from fedmvp_core.terms import ClientTerm, ConfiguredTerm
from fedmvp_core.training import train_locally

Make = Callable[..., RunConfig]


def task_of(names: tuple[str, ...]) -> Task:
    bare: tuple[tuple[str, ...], ...] = tuple(() for _ in names)
    return Task(names, bare, "a {class}.", "a {class}, {attribute}.")


def shard_of_size(backbone: Backbone, images: int, classes: int) -> PreparedShard:
    names = tuple(f"class {i}" for i in range(classes))
    size = backbone.image_size
    pixels = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8)
    labels = torch.arange(images) % classes
    held = ImageSet(pixels, labels, ("",) * images, ("",) * images, names)
    return prepare_shard(backbone, Shard(0, held, held, task_of(names)), FeatureCache(None))


@pytest.mark.parametrize(("method", "sentences"), [("capt", 50), ("fedmvp-capt", 0), ("apt", 50)])
def test_cost_of_a_pgd_3_step(default_config: Make, method: str, sentences: int) -> None:
    """Text once a step, frozen features from the cache, images 3 times (attack) and what is left.

    CAPT looks at clean and adversarial images, APT at adversarial ones only.
    """
    config = default_config(method=method, batch_size=8, local_epochs=1)
    backbone = load_backbone("tiny")
    shard = shard_of_size(backbone, 8, 50)
    names = shard.task.task.class_names
    chosen = find_method(config)
    prompting = chosen.build_prompting(backbone, names)
    backbone.encoded.clear()
    train_locally(backbone, prompting, chosen, shard, config, LocalRound())
    looked_at = 3 + (1 if method == "apt" else 2)
    kind = "images" if method == "apt" else "prompted_images"
    expected = {kind: 8 * looked_at, "sentences": sentences}
    assert backbone.encoded == {key: count for key, count in expected.items() if count}


@pytest.mark.parametrize("method", ["capt", "fedmvp-capt", "avp"])
def test_the_attack_allocates_no_gradient_of_a_prompt_tensor(
    tiny_backbone: Backbone, default_config: Make, method: str
) -> None:
    config = default_config(method=method)
    shard, chosen = prepared(tiny_backbone, 4), find_method(config)
    prompting = chosen.build_prompting(tiny_backbone, NAMES).train()
    model = LocalModel(tiny_backbone, prompting, shard)
    state, images = torch.get_rng_state(), shard.images / 255
    assert chosen.attack is not None
    with attack_mode(prompting):
        attack = chosen.attack()
        draw = torch.Generator().manual_seed(0)
        adversarial = attack(model, images, shard.labels, draw)
    assert not adversarial.requires_grad
    assert (adversarial - images).abs().max() <= 4 / 255 + 1e-6
    assert (adversarial - images).abs().max() > 1 / 255
    assert all(parameter.grad is None for parameter in prompting.parameters())
    assert all(parameter.requires_grad for parameter in prompting.parameters())
    assert all(weight.grad is None for weight in tiny_backbone.parameters())
    assert prompting.training
    assert torch.equal(torch.get_rng_state(), state)


def test_an_attack_may_aim_at_all_classes(tiny_backbone: Backbone, default_config: Make) -> None:
    """The client's own classes keep their features, wherever they stand among all."""
    every = ("ant", "cow", "emu", "cat", "dog")
    config = default_config(method="capt")
    images = random_images(4)
    shard = Shard(0, images, images, task_of(NAMES))
    cache = FeatureCache(None)
    local = prepare_shard(tiny_backbone, shard, cache)
    aimed = prepare_shard(tiny_backbone, shard, cache, task_of(every))
    prompting = find_method(config).build_prompting(tiny_backbone, every)
    narrow = LocalModel(tiny_backbone, prompting, local)
    wide = LocalModel(tiny_backbone, prompting, aimed)
    pixels = images.images / 255
    torch.testing.assert_close(wide.predict(pixels)[1], narrow.predict(pixels)[1])
    assert narrow.attacked_logits(pixels).shape == (4, 3)
    seen = wide.attacked_logits(pixels)
    assert seen.shape == (4, 5)
    torch.testing.assert_close(seen[:, [3, 4, 1]], narrow.attacked_logits(pixels))
    assert aimed.attack_rows.tolist() == [3, 4, 1]


def test_an_attack_with_cached_clean_queries_is_weaker(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    """PromptFormer's queries are the attacked image's own patches; holding them still hides it."""
    config = default_config(method="fedmvp", method_options="prompt-length=64 prompt-init=random")
    former = find_method(config).build_prompting(tiny_backbone, NAMES)
    assert isinstance(former, PromptFormer)
    with torch.no_grad():  # many prompts and sharp attention, so that much depends on them
        former.query.weight.mul_(40)
    model = LocalModel(tiny_backbone, former.requires_grad_(False), prepared(tiny_backbone, 24))
    images, labels = model.shard.images / 255, model.shard.labels
    with torch.no_grad():
        patches = tiny_backbone.embed_patches(images)[:, 1:]
        clean_prompts = former.prompts(patches, model.shard.task.attribute_features)

    def through_clean_prompts(pixels: Tensor) -> Tensor:
        features = tiny_backbone.encode_image(pixels, {0: clean_prompts}, normalize=True)
        return tiny_backbone.logit_scale * features @ model.classes.T

    def loss_after(logits_of: Callable[[Tensor], Tensor]) -> float:
        draw = torch.Generator().manual_seed(0)
        attacked = pgd(logits_of, images, labels, 4 / 255, 1 / 255, 10, generator=draw)
        return F.cross_entropy(model.attacked_logits(attacked), labels).item()

    clean = F.cross_entropy(model.attacked_logits(images), labels).item()
    ours, weaker = loss_after(model.attacked_logits), loss_after(through_clean_prompts)
    assert ours - clean > 1.1 * (weaker - clean)


def test_a_client_of_one_class_cannot_be_attacked_locally(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    config = default_config(method="fedmvp-capt")
    images = random_images(3).with_labels(torch.zeros(3, dtype=torch.int64), NAMES)
    shard = Shard(0, images.of_classes(("cat",)), images, task_of(("cat",)))
    prepared_shard = prepare_shard(tiny_backbone, shard, FeatureCache(None))
    method = find_method(config)
    prompting = method.build_prompting(tiny_backbone, ("cat",))
    with pytest.raises(FedMVPError, match="class"):
        train_locally(tiny_backbone, prompting, method, prepared_shard, config, LocalRound())


def test_steps_are_measured(tiny_backbone: Backbone, default_config: Make) -> None:
    config = default_config(method="fedmvp-capt", batch_size=3, local_epochs=2)
    shard, method = prepared(tiny_backbone, 7), find_method(config)
    prompting = method.build_prompting(tiny_backbone, NAMES)
    result = train_locally(tiny_backbone, prompting, method, shard, config, LocalRound())
    assert {name: len(values) for name, values in result.steps.items()} == {
        "loss": 6,
        "alpha-cons": 6,
    }
    assert all(0 <= alpha <= 1 for alpha in result.steps["alpha-cons"])
    assert small_task().class_names == NAMES


# --- what an objective, an attack or a client term sees beside predictions


def test_the_round_and_what_was_received(tiny_backbone: Backbone, default_config: Make) -> None:
    prompting = find_method(default_config()).build_prompting(tiny_backbone, NAMES)
    received = {"query.bias": torch.ones(128)}
    this_round = LocalRound(number=3, received=received, strategy_config={"mu": 0.5})
    shard = prepared(tiny_backbone, 2)
    model = LocalModel(tiny_backbone, prompting, shard, this_round)
    assert model.round is this_round
    assert model.received is received
    plain = LocalModel(tiny_backbone, prompting, shard)
    assert plain.round == LocalRound(number=1, phase=FULL, multi_label_loss="asl")
    assert plain.received == {}
    assert (model.shard, model.prompting, model.backbone) == (shard, prompting, tiny_backbone)


@pytest.mark.parametrize("phase", [FULL, LORA])
def test_in_training_the_round_is_what_a_term_sees(
    tiny_backbone: Backbone, default_config: Make, phase: str
) -> None:
    """Only the phase's tensors are trained, and they come with their graph."""
    config = default_config(batch_size=4, local_epochs=1)
    method, shard = find_method(config), prepared(tiny_backbone, 7)
    prompting = method.build_prompting(tiny_backbone, NAMES)
    this_round = LocalRound(2, phase, received=prompting.prompt_tensors())
    seen: list[LocalModel] = []

    def look(options: object, model: LocalModel) -> Tensor:
        seen.append(model)
        assert set(model.trained()) == set(prompting.phase_tensors(phase))
        return torch.stack([(0 * w).sum() for w in model.trained().values()]).sum()

    term = ConfiguredTerm(ClientTerm("look", "", look), NoOptions())
    train_locally(tiny_backbone, prompting, method, shard, config, this_round, [term])
    assert len(seen) == 2, "one a step"
    assert all(model.round is this_round for model in seen)
    own = dict(prompting.named_parameters())
    assert all(w is own[name] and w.requires_grad for name, w in seen[0].trained().items())


def test_class_counts_of_one_label_an_image(tiny_backbone: Backbone, default_config: Make) -> None:
    prompting = find_method(default_config()).build_prompting(tiny_backbone, NAMES)
    shard = prepared(tiny_backbone, 7)
    counts = LocalModel(tiny_backbone, prompting, shard).class_counts()
    assert counts.dtype == torch.int64
    assert counts.tolist() == [3, 2, 2]
    shard = dataclasses.replace(shard, labels=torch.zeros(7, dtype=torch.int64))
    assert LocalModel(tiny_backbone, prompting, shard).class_counts().tolist() == [7, 0, 0]


def test_class_counts_of_several_labels_are_those_that_are_there(
    tiny_backbone: Backbone, default_config: Make
) -> None:
    prompting = find_method(default_config()).build_prompting(tiny_backbone, NAMES)
    labels = torch.tensor([[1, 0, -1], [1, 1, -1], [0, -1, -1], [1, 0, 0]])
    shard = dataclasses.replace(prepared(tiny_backbone, 4), labels=labels)
    counts = LocalModel(tiny_backbone, prompting, shard).class_counts()
    assert counts.dtype == torch.int64
    assert counts.tolist() == [3, 1, 0]


def test_the_loss_of_labels_is_the_rounds(tiny_backbone: Backbone, default_config: Make) -> None:
    prompting = find_method(default_config()).build_prompting(tiny_backbone, NAMES)
    shard = prepared(tiny_backbone, 2)
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]])
    one, several = torch.tensor([0, 2]), torch.tensor([[1, 0, 1], [0, 1, -1]])
    losses = {"asl": asymmetric_loss, "bce": binary_cross_entropy, "softmax": softmax_loss}
    for name, loss in losses.items():
        this_round = LocalRound(multi_label_loss=name)
        model = LocalModel(tiny_backbone, prompting, shard, this_round)
        assert torch.equal(model.classification_loss(logits, one), F.cross_entropy(logits, one))
        expected = loss(logits, several).mean()
        assert torch.equal(model.classification_loss(logits, several), expected)
