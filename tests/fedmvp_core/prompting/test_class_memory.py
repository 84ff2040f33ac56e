"""FedKeep's module: a row for each trained class, and image prompts that only those see."""

from typing import Any

import pytest
import torch
from method_checks import encoded
from torch import Tensor

from fedmvp_core.backbone import Backbone
from fedmvp_core.data.catalogue import ClassWords
from fedmvp_core.errors import ConfigError
from fedmvp_core.prompting.class_memory import (
    ABSENT,
    ClassMemory,
    ClassMemoryOptions,
    build_class_memory,
)

TRAINED = ("cat", "dog", "cow")
WORDS = ClassWords(TRAINED, TRAINED, TRAINED, ("{class}",))


def module(backbone: Backbone, **options: Any) -> ClassMemory:
    made = build_class_memory(backbone, ClassMemoryOptions(**options), WORDS)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in (made.memory, *made.image.values()):
            parameter += 0.1 * torch.randn(parameter.shape, generator=draw)
    return made


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def slow_logits(
    made: ClassMemory, backbone: Backbone, images: Tensor, names: tuple[str, ...]
) -> Tensor:
    """(images, names): class by class, from the card, in float64."""
    options = made.options
    prompts = {int(layer): options.image_rate * tokens for layer, tokens in made.image.items()}
    columns = []
    for name in names:
        t = encoded(backbone, name).zero_shot_features[0].double()
        prompted = prompts if name in TRAINED else None
        if name in TRAINED:
            t = t + options.memory_rate * made.memory[TRAINED.index(name)].double()
        seen = backbone.encode_image(images, prompted).double()
        columns.append(seen @ (t / t.norm()) / seen.norm(dim=-1))
    return backbone.logit_scale.double() * torch.stack(columns, dim=1)


@pytest.mark.parametrize(
    "names",
    [("owl", "dog", "banjo", "cat"), ("cow", "cat"), ("owl", "banjo")],
    ids=["both kinds", "trained", "new"],
)
def test_logits_are_those_of_the_card(
    tiny_backbone: Backbone, images: Tensor, names: tuple[str, ...]
) -> None:
    made = module(tiny_backbone, memory_rate=0.7, image_rate=1.3)
    task = encoded(tiny_backbone, *names)
    features = made(tiny_backbone, images, task)
    logits = features.logits
    if logits is None:
        logits = tiny_backbone.logit_scale * features.image_features @ features.class_features.T
    expected = slow_logits(made, tiny_backbone, images, names)
    torch.testing.assert_close(logits.double(), expected, rtol=0, atol=1e-4)


def test_new_classes_are_the_frozen_models_bit_for_bit(
    tiny_backbone: Backbone, images: Tensor
) -> None:
    made, task = module(tiny_backbone), encoded(tiny_backbone, "owl", "banjo")
    features = made(tiny_backbone, images, task)
    assert torch.equal(features.image_features, tiny_backbone.encode_image(images, normalize=True))
    torch.testing.assert_close(features.class_features, task.zero_shot_features, rtol=0, atol=1e-7)
    assert not features.image_features.requires_grad


def test_an_untrained_memory_is_the_frozen_text(tiny_backbone: Backbone) -> None:
    made = build_class_memory(tiny_backbone, ClassMemoryOptions(), WORDS)
    task = encoded(tiny_backbone, *TRAINED, "owl")
    torch.testing.assert_close(made.class_features(tiny_backbone, task), task.zero_shot_features)


def test_every_prompt_of_every_block_has_a_gradient(
    tiny_backbone: Backbone, images: Tensor
) -> None:
    made = module(tiny_backbone)
    assert sorted(map(int, made.image)) == list(range(tiny_backbone.image_layers))
    made(tiny_backbone, images, encoded(tiny_backbone, *TRAINED)).image_features.sum().backward()
    assert all(tokens.grad is not None and tokens.grad.any() for tokens in made.image.values())


def sent(
    backbone: Backbone, rows: Tensor, own: tuple[str, ...], over: str = "holders"
) -> dict[str, Tensor]:
    """What a client sends whose step moved the rows of its own classes alone."""
    made = build_class_memory(backbone, ClassMemoryOptions(average_over=over), WORDS)
    with torch.no_grad():
        made.memory.copy_(rows)
    made.class_features(backbone, encoded(backbone, *own)).sum().backward()
    made.hand_over({}, torch.Generator())
    return made.prompt_tensors()


def test_the_average_of_a_row_is_over_the_clients_that_hold_its_class(
    tiny_backbone: Backbone,
) -> None:
    draw = torch.Generator().manual_seed(2)
    rows = torch.randn(3, 3, tiny_backbone.embed_dim, generator=draw)
    holds = [("cat", "dog"), ("dog",), ("dog",)]  # nobody holds cow
    replies = [sent(tiny_backbone, *client) for client in zip(rows, holds, strict=True)]
    mean = {name: sum(reply[name] for reply in replies) / 3 for name in replies[0]}
    made = build_class_memory(tiny_backbone, ClassMemoryOptions(), WORDS)
    made.load_prompt_tensors(mean)
    cat = (rows[0, 0] + ABSENT * rows[1:, 0].sum(dim=0)) / (1 + 2 * ABSENT)
    expected = torch.stack([cat, rows[:, 1].mean(dim=0), rows[:, 2].mean(dim=0)])
    torch.testing.assert_close(made.rows().detach(), expected)
    made.settle()
    torch.testing.assert_close(made.memory.detach(), expected)
    assert torch.equal(made.held.detach(), torch.ones(3))


def test_over_all_clients_a_row_is_sent_as_it_is(tiny_backbone: Backbone) -> None:
    rows = torch.randn(3, tiny_backbone.embed_dim)
    reply = sent(tiny_backbone, rows, ("cat",), over="all")
    assert torch.equal(reply["memory"], rows)
    assert torch.equal(reply["held"], torch.ones(3))


def test_a_lie_about_what_is_held_leaves_rows_finite(tiny_backbone: Backbone) -> None:
    made = module(tiny_backbone)
    made.load_prompt_tensors({"held": torch.tensor([0.0, -3.0, 1.0])})
    assert made.rows().isfinite().all()


def test_what_is_loaded_is_what_was_taken(tiny_backbone: Backbone) -> None:
    made, other = module(tiny_backbone), module(tiny_backbone)
    other.load_prompt_tensors(made.prompt_tensors())
    for name, tensor in made.prompt_tensors().items():
        assert torch.equal(tensor, other.prompt_tensors()[name])


def test_more_blocks_than_there_are_are_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match="deep-depth is 99; allowed: 1 to"):
        build_class_memory(tiny_backbone, ClassMemoryOptions(deep_depth=99), WORDS)
