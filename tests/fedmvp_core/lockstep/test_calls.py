"""Joint calls: the numbers of clients one by one, for whatever a client asks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fedmvp_core.backbone import Backbone, counting
from fedmvp_core.errors import LockstepError
from fedmvp_core.lockstep import calls
from fedmvp_core.lockstep.jobs import play, taking_part

SENTENCES = (("a cat",), ("a very large brown dog, that barks", "a cow", "an eel"), ("a fox",) * 2)


def in_step(jobs: list[Callable[[], Tensor]]) -> list[Tensor]:
    def taking(job: Callable[[], Tensor]) -> Tensor:
        with taking_part():
            return job()

    return play([lambda job=job: taking(job) for job in jobs])


def client(backbone: Backbone, number: int, attack_steps: int = 1) -> Callable[[], Tensor]:
    """Text with prompts, an attack, a step: its own sizes, its own prompts; -> their gradient."""

    def job() -> Tensor:
        draw = torch.Generator().manual_seed(number)
        prompts = torch.randn(2, 128, generator=draw, requires_grad=True)
        images = torch.rand(number + 1, 3, 64, 64, generator=draw)
        classes = backbone.encode_text(SENTENCES[number], {0: prompts[:1]}, normalize=True)
        for _ in range(attack_steps):
            attacked = images.detach().requires_grad_()
            seen = backbone.encode_image(attacked, {0: prompts.detach()})
            gradient = calls.gradient((seen @ classes.detach().T).square().sum(), attacked)
            assert gradient is not None
            images = images + 0.1 * gradient.clamp(-1, 1)
        with torch.no_grad():
            frozen = backbone.encode_image(images.clamp(0, 1))
        assert not frozen.requires_grad
        seen = backbone.encode_image(images.clamp(0, 1), {0: prompts, 2: prompts[:1]})
        calls.backward(((seen - frozen) @ classes.T).square().mean())
        assert prompts.grad is not None
        return prompts.grad

    return job


@pytest.mark.parametrize("steps", [(1, 1, 1), (3, 0, 1)])
def test_gradients_of_clients_of_other_sizes_and_paths(
    tiny_backbone: Backbone, steps: tuple[int, ...]
) -> None:
    jobs = [client(tiny_backbone, number, count) for number, count in enumerate(steps)]
    alone = [job() for job in jobs]
    for one, joint in zip(alone, in_step(jobs), strict=True):
        torch.testing.assert_close(joint, one, rtol=1e-4, atol=1e-5 * float(one.abs().max()))


def test_all_clients_are_one_batch(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    tower = tiny_backbone.clip.visual.transformer.resblocks[0]
    handle = tower.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    try:
        in_step([client(tiny_backbone, number) for number in range(3)])
    finally:
        handle.remove()
    assert rows == [6, 6, 6]  # the attack, the frozen and the prompted images of 1 + 2 + 3


def test_each_client_counts_what_is_its_own(tiny_backbone: Backbone) -> None:
    counted = []

    def job(number: int) -> Tensor:
        with counting() as encoded:
            gradient = client(tiny_backbone, number)()
        counted.append((number, dict(encoded)))
        return gradient

    in_step([lambda n=n: job(n) for n in range(3)])
    of = {n: {"images": n + 1, "prompted_images": 2 * (n + 1)} for n in range(3)}
    assert dict(counted) == {n: of[n] | {"sentences": len(SENTENCES[n])} for n in range(3)}


def test_a_gradient_of_a_client_by_itself_is_refused(tiny_backbone: Backbone) -> None:
    def job() -> Tensor:
        prompts = torch.zeros(1, 128, requires_grad=True)
        seen = tiny_backbone.encode_image(torch.rand(2, 3, 64, 64), {0: prompts})
        return torch.autograd.grad(seen.sum(), prompts)[0]

    job()
    with pytest.raises(LockstepError, match="takes a gradient by itself"):
        in_step([job, job])


def test_nan_of_one_client_stays_with_it(tiny_backbone: Backbone) -> None:
    draw = torch.Generator().manual_seed(0)
    images, start = torch.rand(2, 3, 64, 64, generator=draw), torch.randn(1, 128, generator=draw)

    def job(factor: float) -> Tensor:
        prompts = (factor * start).requires_grad_()
        calls.backward(tiny_backbone.encode_image(images, {0: prompts}).square().sum())
        assert prompts.grad is not None
        return prompts.grad

    alone = job(1.0)
    broken, sound = in_step([lambda: job(float("nan")), lambda: job(1.0)])
    assert broken.isnan().all()
    torch.testing.assert_close(sound, alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max()))
