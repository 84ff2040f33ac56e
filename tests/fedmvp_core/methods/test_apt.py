"""APT: its sizes, what it trains, and the three texts that its attack may look at."""

from collections.abc import Callable

import pytest
import torch
from method_checks import attacked, built, elements, moved_by_one_step
from prepared import prepared
from torch import Tensor
from torch.nn import functional as F

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.model import LocalModel
from fedmvp_core.methods import find_method
from fedmvp_core.methods.apt import APTOptions, perturbed_features
from fedmvp_core.prompting.text_context import TextContext

MakeConfig = Callable[..., RunConfig]


def options(length: int, class_specific: bool) -> str:
    return f"context-length={length} class-specific={str(class_specific).lower()}"


@pytest.mark.parametrize(
    ("length", "class_specific", "count"),
    [(16, False, 8_192), (1, False, 512), (16, True, 3 * 8_192)],
)
@pytest.mark.parametrize("name", ["ViT-B-16", "ViT-B-32"])
def test_sizes_at_published_widths(
    tiny_backbone: Backbone,
    default_config: MakeConfig,
    length: int,
    class_specific: bool,
    count: int,
    name: str,
) -> None:
    config = default_config(method="apt", method_options=options(length, class_specific))
    assert elements(tiny_backbone, config, name) == count


@pytest.mark.parametrize("attack_prompt", ["on-the-fly", "constant", "perturbed"])
@pytest.mark.parametrize("class_specific", [False, True])
def test_a_step_moves_the_words(
    tiny_backbone: Backbone, default_config: MakeConfig, attack_prompt: str, class_specific: bool
) -> None:
    config = default_config(
        method="apt",
        method_options=f"{options(2, class_specific)} attack-prompt={attack_prompt}",
    )
    assert moved_by_one_step(tiny_backbone, config) == {"context"}


def test_a_class_name_that_is_too_long_is_refused_at_once(
    tiny_backbone: Backbone, default_config: MakeConfig
) -> None:
    config = default_config(method="apt", method_options="context-length=28")
    with pytest.raises(ConfigError, match="context-length puts 28 words before"):
        built(tiny_backbone, config, ("a tall cat",))


# --- what the attack looks at


def text_of(backbone: Backbone, config: RunConfig, prompting: TextContext) -> Tensor:
    """What the attack on four images should look at, by the paper's description."""
    shard = prepared(backbone, 4)
    chosen: APTOptions = find_method(config).options
    if chosen.attack_prompt == "constant":
        return shard.task.zero_shot_features
    words = prompting.context.detach().clone().requires_grad_()
    classes = prompting.class_features_with(words, backbone, shard.task)
    if chosen.attack_prompt == "on-the-fly":
        return classes.detach()
    seen = backbone.encode_image(shard.images, normalize=True)
    F.cross_entropy(backbone.logit_scale * seen @ classes.T, shard.labels).backward()
    assert words.grad is not None
    moved = words.detach() + chosen.perturb_rate * words.grad
    return prompting.class_features_with(moved, backbone, shard.task)


@pytest.mark.parametrize("attack_prompt", ["on-the-fly", "constant", "perturbed"])
def test_the_attack_climbs_the_loss_against_the_chosen_text(
    tiny_backbone: Backbone, default_config: MakeConfig, attack_prompt: str
) -> None:
    config = default_config(
        method="apt",
        method_options=f"context-length=3 attack-prompt={attack_prompt} perturb-rate=5",
        attack_steps=2,
    )
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 4)
    assert isinstance(prompting, TextContext)
    text = text_of(tiny_backbone, config, prompting)
    before = prompting.context.detach().clone()
    with attack_mode(prompting):
        found = attacked(tiny_backbone, prompting, config, shard)
    assert torch.equal(prompting.context, before), "the words are those that were there"
    assert prompting.context.grad is None

    def logits(pixels: Tensor) -> Tensor:
        features = tiny_backbone.encode_image(pixels, normalize=True)
        return tiny_backbone.logit_scale * features @ text.T

    start, radius = torch.Generator().manual_seed(0), 4 / 255
    images = shard.images.float() / 255
    expected = pgd(logits, images, shard.labels, radius, radius * 2 / 3, 2, generator=start)
    # Signs of gradients near zero may differ by rounding; almost all pixels must agree.
    assert float(((found - expected).abs() < 1e-6).float().mean()) > 0.999


def test_the_three_texts_are_three_attacks(
    tiny_backbone: Backbone, default_config: MakeConfig
) -> None:
    shard, found = prepared(tiny_backbone, 4), []
    for attack_prompt in ("on-the-fly", "constant", "perturbed"):
        config = default_config(
            method="apt",
            method_options=f"context-length=3 attack-prompt={attack_prompt} perturb-rate=50",
            attack_steps=1,
        )
        prompting = built(tiny_backbone, config)
        found.append(attacked(tiny_backbone, prompting, config, shard))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(found[one], found[other], atol=1e-3)


def test_a_small_step_of_the_words_raises_the_clean_loss(
    tiny_backbone: Backbone, default_config: MakeConfig
) -> None:
    config = default_config(method="apt", method_options="context-length=3")
    prompting, shard = built(tiny_backbone, config), prepared(tiny_backbone, 4)
    model = LocalModel(tiny_backbone, prompting, shard)
    images = shard.images.float() / 255
    with torch.no_grad():
        seen = tiny_backbone.encode_image(images, normalize=True)
        losses = [
            float(F.cross_entropy(tiny_backbone.logit_scale * seen @ text.T, shard.labels))
            for rate in (0.0, 1e-3)
            for text in [perturbed_features(model, images, shard.labels, rate)]
        ]
    assert losses[1] > losses[0]
