"""What a CUDA device computes, against the CPU and against itself."""

import copy
from collections.abc import Callable

import pytest
import torch
from prepared import NAMES, prepared
from torch import Tensor

from fedmvp_core.adversarial.perturbation import attack_mode
from fedmvp_core.adversarial.pgd import pgd
from fedmvp_core.backbone import Backbone, load_backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.devices import choose_device
from fedmvp_core.local.model import LocalRound
from fedmvp_core.methods import find_method
from fedmvp_core.training import train_locally

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
METHODS = ("fedmvp", "fedmvp-capt", "capt", "apt", "avp", "paft", "adv-maple", "fap")
EPSILON = 4 / 255


@pytest.fixture(scope="module")
def on_gpu() -> Backbone:
    return load_backbone("tiny", "embedded-robust", choose_device("cuda"))


@pytest.fixture(scope="module")
def on_cpu() -> Backbone:
    return load_backbone("tiny", "embedded-robust")


def trained(backbone: Backbone, config: RunConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Prompt tensors before and after a round of one client with 32 pictures."""
    method = find_method(config)
    prompting = method.build_prompting(backbone, NAMES)
    before = prompting.prompt_tensors()
    train_locally(backbone, prompting, method, prepared(backbone, 32), config, LocalRound())
    return before, prompting.prompt_tensors()


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
    """The whole update as one vector."""
    return torch.cat([(after[name] - before[name]).double().flatten() for name in before])


@pytest.mark.parametrize("method", METHODS)
def test_a_gpu_trains_as_a_cpu_does(
    default_config: Callable[..., RunConfig], on_cpu: Backbone, on_gpu: Backbone, method: str
) -> None:
    """The attack's random start differs between devices, so its ball is too small to matter."""
    config = default_config(method=method, epsilon="1e-9", local_epochs=1, learning_rate=0.01)
    expected, found = moved(*trained(on_cpu, config)), moved(*trained(on_gpu, config))
    assert expected.norm() > 0
    assert (found - expected).norm() / expected.norm() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bits(
    default_config: Callable[..., RunConfig], on_gpu: Backbone, method: str
) -> None:
    config = default_config(method=method, local_epochs=2)
    _, first = trained(on_gpu, config)
    _, again = trained(on_gpu, config)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_pgd_climbs_as_high_as_on_a_cpu(on_cpu: Backbone, on_gpu: Backbone) -> None:
    images = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(16) % 3
    losses = {}
    for backbone in (on_cpu, on_gpu):
        with torch.no_grad():
            classes = backbone.encode_text([f"a {name}." for name in NAMES], normalize=True)

        def logits_of(pixels: Tensor, backbone: Backbone = backbone, classes: Tensor = classes):  # type: ignore[no-untyped-def]
            return backbone.logit_scale * backbone.encode_image(pixels, normalize=True) @ classes.T

        clean, right = images.to(backbone.device), labels.to(backbone.device)
        with attack_mode(backbone):
            found = pgd(logits_of, clean, right, EPSILON, EPSILON / 4, 10, random_start=False)
        assert float((found - clean).abs().max()) <= EPSILON + 1e-6
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1
        loss = torch.nn.functional.cross_entropy(logits_of(found), right)
        losses[backbone.device.type] = float(loss.detach())
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.02)


def test_bfloat16_trains_nearly_as_float32_does(
    default_config: Callable[..., RunConfig], on_gpu: Backbone
) -> None:
    fast = load_backbone("tiny", "embedded-robust", "cuda", "bf16")
    config = default_config(method="fedmvp", local_epochs=1, learning_rate=0.01)
    exact, rounded = moved(*trained(on_gpu, config)), moved(*trained(fast, config))
    assert torch.nn.functional.cosine_similarity(exact, rounded, dim=0) > 0.98


def test_an_attack_keeps_nothing_for_the_weights(
    default_config: Callable[..., RunConfig], on_gpu: Backbone
) -> None:
    """A round leaves as much memory in use as it found."""
    config = default_config(method="fedmvp-capt", local_epochs=1)
    trained(on_gpu, config)
    before = torch.cuda.memory_allocated()
    trained(on_gpu, config.with_values(local_epochs=3))
    assert torch.cuda.memory_allocated() == before


def test_frozen_features_are_the_cpus(on_cpu: Backbone, on_gpu: Backbone) -> None:
    images = torch.randint(256, (64, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = on_cpu.encode_image(images, normalize=True)
        found = on_gpu.encode_image(images, normalize=True).cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_copy_of_a_backbone_is_on_the_gpu_with_all_its_buffers(on_gpu: Backbone) -> None:
    """The state dict would not show those that no checkpoint holds."""
    copied = copy.deepcopy(on_gpu)
    devices = {tensor.device.type for tensor in (*copied.parameters(), *copied.buffers())}
    assert devices == {"cuda"}
