"""Frozen work is done once, whatever happens to the folder."""

import logging
import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fedmvp_core.backbone import (
    Backbone,
    FeatureCache,
    cached_image_features,
    cached_text_features,
)

SENTENCES = ["a cat", "a dog", "a long red train"]


def test_text_is_encoded_once_in_memory(tiny: Backbone) -> None:
    cache = FeatureCache()
    first = cached_text_features(tiny, SENTENCES, cache)
    assert cached_text_features(tiny, SENTENCES, cache) is first
    assert tiny.encoded["sentences"] == 3
    with torch.no_grad():
        assert torch.allclose(first, tiny.encode_text(SENTENCES, normalize=True), atol=1e-6)
    cached_text_features(tiny, SENTENCES[:2], cache)
    assert tiny.encoded["sentences"] == 8


def test_work_is_shared_through_the_folder(tiny: Backbone, tmp_path: Path) -> None:
    images = random_images(5)
    first = features(tiny, images, FeatureCache(tmp_path / "made" / "when needed"))
    second = features(tiny, images, FeatureCache(tmp_path / "made" / "when needed"))
    assert tiny.encoded == {"images": 5, "sentences": 3}
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert {path.suffix for path in (tmp_path / "made" / "when needed").iterdir()} == {
        ".safetensors"
    }


def test_images_are_keyed_by_content_and_weights(
    tiny: Backbone, small: Backbone, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path)
    images = random_images(4)
    whole = cached_image_features(tiny, images, cache, batch_size=3)
    assert tiny.encoded["images"] == 4
    assert torch.equal(cached_image_features(tiny, images.clone(), cache), whole)
    assert tiny.encoded["images"] == 4
    cached_image_features(tiny, images.flip(0), cache)
    assert tiny.encoded["images"] == 8
    cached_text_features(small, SENTENCES, cache)
    cached_text_features(tiny, SENTENCES, cache)
    assert (small.encoded["sentences"], tiny.encoded["sentences"]) == (3, 3)


def test_cached_features_may_enter_a_graph(tiny: Backbone) -> None:
    text = cached_text_features(tiny, SENTENCES, FeatureCache())
    assert not text.requires_grad
    weight = torch.ones(128, requires_grad=True)
    (text * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("damage", [b"", b"no tensors", None])
def test_a_damaged_file_is_computed_again_and_replaced(
    damage: bytes | None, tiny: Backbone, tmp_path: Path
) -> None:
    expected = cached_text_features(tiny, SENTENCES, FeatureCache(tmp_path)).clone()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.unlink()  # a mapped file must not be changed in place
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    again = cached_text_features(tiny, SENTENCES, FeatureCache(tmp_path))
    assert torch.equal(again, expected)
    assert tiny.encoded["sentences"] == 6
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache")
    check_memory_only(cache, caplog)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_warns_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o555)
    check_memory_only(FeatureCache(tmp_path), caplog)
    tmp_path.chmod(0o755)


def check_memory_only(cache: FeatureCache, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def compute() -> Tensor:
        calls.append(1)
        return torch.ones(2)

    with caplog.at_level(logging.WARNING):
        for key in ("a", "a", "b"):
            assert torch.equal(cache.get_or_compute(key, compute), torch.ones(2))
    assert len(calls) == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "kept in memory only" in caplog.text


def test_only_uint8_images_are_cached(tiny: Backbone) -> None:
    with pytest.raises(ValueError, match=r"torch\.float32; expected uint8"):
        cached_image_features(tiny, torch.rand(1, 3, 64, 64), FeatureCache())


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no cheap second process"
)
def test_processes_may_write_one_key_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_often, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["shared.safetensors"]


def write_often(directory: Path) -> None:
    """Write and read one key; a half-written file would be seen as another value or recomputed."""
    for _ in range(200):
        cache = FeatureCache(directory)
        cache._write("shared", torch.full((2_000,), 3.0))
        read = cache._read("shared")
        assert read is not None
        assert bool((read == 3.0).all())
        assert not cache._warned


def features(backbone: Backbone, images: Tensor, cache: FeatureCache) -> tuple[Tensor, Tensor]:
    return (
        cached_text_features(backbone, SENTENCES, cache),
        cached_image_features(backbone, images, cache),
    )


def random_images(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (n, 3, 64, 64), dtype=torch.uint8, generator=generator)
