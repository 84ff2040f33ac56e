"""What a step of adversarial training costs, and what its attack sees."""

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
from fedmvp_core.data.image_set import ImageSet
from fedmvp_core.data.shards import Shard
from fedmvp_core.local.model import LocalModel, LocalRound
from fedmvp_core.local.shard import PreparedShard, prepare_shard
from fedmvp_core.methods import find_method
from fedmvp_core.prompting.promptformer import PromptFormer
from fedmvp_core.tasks import Task
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


@pytest.mark.parametrize(
    ("method", "sentences", "size"),
    [
        ("capt", 50, "tiny"),
        ("fedmvp-capt", 0, "tiny"),
        ("apt", 50, "tiny"),
        pytest.param("capt", 50, "ViT-B-16", marks=pytest.mark.slow),
    ],
)
def test_cost_of_a_pgd_3_step(default_config: Make, method: str, sentences: int, size: str) -> None:
    """Text once a step, frozen features from the cache, images 3 times (attack) and what is left.

    CAPT looks at clean and adversarial images, APT at adversarial ones only.
    """
    config = default_config(method=method, backbone=size, batch_size=8, local_epochs=1)
    backbone = load_backbone(size)
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
    from fedmvp_core.errors import FedMVPError

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
