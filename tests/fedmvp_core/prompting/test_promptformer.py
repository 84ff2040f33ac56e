"""PromptFormer against a plain version written from the paper's description alone."""

import math
from collections.abc import Callable

import pytest
import torch
from method_checks import encoded
from torch import Tensor

from fedmvp_core.backbone import Backbone, FeatureCache
from fedmvp_core.config import RunConfig
from fedmvp_core.methods import find_method
from fedmvp_core.prompting import FULL
from fedmvp_core.prompting.promptformer import LORA, LORA_STD, PromptFormer
from fedmvp_core.tasks import EncodedTask, Task, encode_task

WIDTH, TEXT_WIDTH, HEADS, RANK, PROMPTS = 16, 12, 4, 3, 4


@pytest.fixture
def promptformer() -> PromptFormer:
    """Every tensor is drawn, LoRA's second factors and the norms' scales included."""
    torch.manual_seed(0)
    module = PromptFormer(WIDTH, TEXT_WIDTH, PROMPTS, HEADS, RANK)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape))
    return module


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    """patches: (2, 9, WIDTH), attributes: (7, TEXT_WIDTH)."""
    draw = torch.Generator().manual_seed(1)
    patches = 2 * torch.randn(2, 9, WIDTH, generator=draw) + 1
    return patches, torch.randn(7, TEXT_WIDTH, generator=draw)


# --- the plain version: no nn module, no fused attention, no pooling function


def plain_layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + 1e-5) * weight + bias


def plain_softmax(scores: Tensor) -> Tensor:
    powers = torch.exp(scores - scores.max(-1, keepdim=True).values)
    return powers / powers.sum(-1, keepdim=True)


def plain_gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def plain_pool(tokens: Tensor, length: int) -> Tensor:
    """Means over bins from floor(i n / m) to ceil((i + 1) n / m)."""
    n = len(tokens)
    bins = [(i * n // length, -(-(i + 1) * n // length)) for i in range(length)]
    return torch.stack([tokens[start:stop].mean(0) for start, stop in bins])


def plain_attention(
    weights: dict[str, Tensor], patches: Tensor, attributes: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Of one image: for each head, attention (patches, attributes) and what it gathers."""

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        return plain_layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def lora(name: str, x: Tensor) -> Tensor:
        return x + x @ weights[f"lora.{name}.down"] @ weights[f"lora.{name}.up"]

    projected = linear("project_attributes", attributes)
    # As released: LoRA first, then the norm.
    query = linear("query", norm("query_norm", lora("query", patches)))
    key = linear("key", norm("key_norm", lora("key", projected)))
    value = linear("value", lora("value", projected))
    size = query.shape[1] // HEADS
    rows, gathered = [], []
    for head in range(HEADS):
        own = slice(head * size, (head + 1) * size)
        rows.append(plain_softmax(query[:, own] @ key[:, own].T / math.sqrt(size)))
        gathered.append(rows[-1] @ value[:, own])
    return rows, gathered


def plain_prompts(weights: dict[str, Tensor], patches: Tensor, attributes: Tensor) -> Tensor:
    """Of one image: (prompts, width)."""
    _, gathered = plain_attention(weights, patches, attributes)
    x = torch.cat(gathered, dim=1)
    x = x @ weights["attention_output.weight"].T + weights["attention_output.bias"]
    inner = plain_layer_norm(
        x, weights["feed_forward.norm.weight"], weights["feed_forward.norm.bias"]
    )
    wide = inner @ weights["feed_forward.expand.weight"].T + weights["feed_forward.expand.bias"]
    hidden = wide.shape[1] // 2
    gated = wide[:, :hidden] * plain_gelu(wide[:, hidden:])
    fed = gated @ weights["feed_forward.shrink.weight"].T + weights["feed_forward.shrink.bias"]
    return plain_pool(fed + x, PROMPTS)


def test_prompts_equal_the_plain_version(
    promptformer: PromptFormer, inputs: tuple[Tensor, Tensor]
) -> None:
    patches, attributes = inputs
    weights = promptformer.prompt_tensors()
    with torch.no_grad():
        found = promptformer.prompts(patches, attributes)
    expected = torch.stack([plain_prompts(weights, image, attributes) for image in patches])
    assert found.shape == (2, PROMPTS, WIDTH)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_sizes_at_the_widths_of_the_paper() -> None:
    with torch.device("meta"):
        module = PromptFormer(image_width=768, text_width=512, lora_rank=8)
    sizes = {name: value.numel() for name, value in module.named_parameters()}
    assert sum(sizes[name] for name in module.phase_tensors(FULL)) == 9_845_760
    assert sum(sizes[name] for name in module.phase_tensors(LORA)) == 36_864


def test_phases_part_all_prompt_tensors(promptformer: PromptFormer) -> None:
    full, lora = promptformer.phase_tensors(FULL), promptformer.phase_tensors(LORA)
    assert not set(full) & set(lora)
    assert {*full, *lora} == set(promptformer.prompt_tensors())
    assert len(lora) == 6


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="5 attention heads do not divide the image width 16"):
        PromptFormer(16, 12, heads=5)


# --- inside the backbone


@pytest.fixture
def task(tiny_backbone: Backbone, memory_cache: FeatureCache) -> EncodedTask:
    words = (("round",), ("green", "tall"), ("small", "grey"))
    plain = Task(("ball", "tree", "mouse"), words, "a {class}.", "a {class}, {attribute}.")
    return encode_task(tiny_backbone, plain, memory_cache)


def test_forward_appends_the_prompts_after_the_patches(
    tiny_backbone: Backbone, task: EncodedTask
) -> None:
    module = PromptFormer(tiny_backbone.image_width, tiny_backbone.embed_dim)
    images = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        features = module(tiny_backbone, images, task)
        patches = tiny_backbone.embed_patches(images)[:, 1:]
        prompts = module.prompts(patches, task.attribute_features)
        expected = tiny_backbone.encode_image(images, {0: prompts}, normalize=True)
        unprompted = tiny_backbone.encode_image(images, normalize=True)
    torch.testing.assert_close(features.image_features, expected)
    assert features.class_features is task.class_features
    assert not torch.allclose(expected, unprompted, atol=1e-3)


def test_attention_is_the_mean_over_heads_and_rows_sum_to_one(
    tiny_backbone: Backbone, task: EncodedTask
) -> None:
    module = PromptFormer(tiny_backbone.image_width, tiny_backbone.embed_dim, heads=HEADS)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        attention = module.attention(tiny_backbone, images, task)
        patches = tiny_backbone.embed_patches(images)[:, 1:]
    assert attention.shape == (2, 64, 5)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 64))
    rows, _ = plain_attention(module.prompt_tensors(), patches[1], task.attribute_features)
    torch.testing.assert_close(attention[1], torch.stack(rows).mean(0), rtol=0, atol=1e-6)


# --- gradients


@pytest.mark.parametrize(
    "name",
    [
        "project_attributes.weight",
        "query_norm.weight",
        "key.weight",
        "lora.query.down",
        "lora.value.up",
        "attention_output.bias",
        "feed_forward.expand.bias",
    ],
)
def test_gradients_equal_finite_differences(
    promptformer: PromptFormer, inputs: tuple[Tensor, Tensor], name: str
) -> None:
    module = promptformer.double()
    patches, attributes = inputs[0].double(), inputs[1].double()
    weighting = torch.randn(2, PROMPTS, WIDTH, dtype=torch.float64)

    def loss() -> Tensor:
        return (module.prompts(patches, attributes) * weighting).sum()

    parameter = dict(module.named_parameters())[name]
    (gradient,) = torch.autograd.grad(loss(), parameter)
    step = 1e-6
    for position in range(0, parameter.numel(), max(1, parameter.numel() // 7)):
        with torch.no_grad():
            flat = parameter.view(-1)
            flat[position] += step
            above = loss()
            flat[position] -= 2 * step
            below = loss()
            flat[position] += step
        numeric = (above - below) / (2 * step)
        torch.testing.assert_close(gradient.view(-1)[position], numeric, rtol=1e-5, atol=1e-7)


# --- the LoRA phase


def build(backbone: Backbone, config: RunConfig) -> PromptFormer:
    module = find_method(config).build_prompting(backbone, ())
    assert isinstance(module, PromptFormer)
    return module


def test_zero_init_is_no_jump_and_normal_is_one(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    patches, attributes = torch.randn(2, 64, 128), torch.randn(5, 128)
    for init, jumps in (("zero", False), ("normal", True)):
        config = default_config(method_options=f"lora-init={init} prompt-init=random")
        module = build(tiny_backbone, config)
        before = module.prompts(patches, attributes)
        find_method(config).begin_phase(module, LORA)
        after = module.prompts(patches, attributes)
        assert torch.equal(before, after) != jumps, init


def test_full_phase_never_touches_lora(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method_options="lora-init=normal")
    module = build(tiny_backbone, config)
    find_method(config).begin_phase(module, FULL)
    assert not any(lora.up.any() for lora in module.lora.values())


def test_normal_init_is_the_same_draw_at_each_client(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method_options="lora-init=normal")
    drawn = []
    for _ in range(2):
        module = build(tiny_backbone, config)
        torch.rand(3)  # whatever else a client has drawn
        find_method(config).begin_phase(module, LORA)
        drawn.append(module.prompt_tensors())
    lora = [name for name in drawn[0] if name.startswith("lora.")]
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in lora)
    assert not torch.equal(drawn[0]["lora.query.up"], drawn[0]["lora.key.up"])
    for name in lora:
        assert float(drawn[0][name].std()) == pytest.approx(LORA_STD, rel=0.15), name


def test_normal_init_leaves_factors_alone_that_training_has_moved(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    config = default_config(method_options="lora-init=normal")
    module = build(tiny_backbone, config)
    averaged = {n: torch.full_like(t, 0.5) for n, t in module.prompt_tensors().items()}
    module.load_prompt_tensors({n: t for n, t in averaged.items() if n.startswith("lora.")})
    before = module.prompt_tensors()
    find_method(config).begin_phase(module, LORA)
    assert all(torch.equal(value, before[n]) for n, value in module.prompt_tensors().items())


def test_queries_of_an_ablation_take_the_place_of_patches(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    patches = torch.randn(3, 4, tiny_backbone.image_width)
    asked = {
        queries: build(tiny_backbone, default_config(method_options=f"queries={queries}")).queried(
            patches
        )
        for queries in ("image", "shuffled", "noise", "constant")
    }
    assert torch.equal(asked["image"], patches)
    assert torch.equal(asked["shuffled"], patches[[2, 0, 1]])
    assert asked["noise"].shape == asked["constant"].shape == patches.shape
    assert not torch.equal(asked["noise"][0], asked["noise"][1])
    assert torch.equal(asked["constant"][0], asked["constant"][1])
    assert not torch.equal(asked["constant"][0, 0], asked["constant"][0, 1])


def test_prompts_of_other_queries_do_not_depend_on_the_image(
    tiny_backbone: Backbone, default_config: Callable[..., RunConfig]
) -> None:
    task = encoded(tiny_backbone, "cat", "dog")
    for queries, depends in (("image", True), ("noise", False), ("constant", False)):
        module = build(tiny_backbone, default_config(method_options=f"queries={queries}"))
        attended = [
            module.attention(tiny_backbone, images, task)
            for images in torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        ]
        assert torch.equal(*attended) != depends, queries
