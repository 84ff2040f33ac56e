"""The embedded benchmark and the tiny CLIP are whole, and are what docs/emojidomains.md says."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file

from simulations.assets.fast_clip import (
    build_model,
    build_tokenizer,
    encode_patches,
    encode_tokens,
    load_config,
    patchify,
)
from simulations.assets.manifest import ASSETS, build_manifest
from simulations.assets.sheets import STYLES, load_document, load_sheet

DOCUMENT = load_document()
CONCEPTS = DOCUMENT["concepts"]
BENCHMARK = DOCUMENT["benchmark"]


def test_manifest_describes_the_files_that_are_there() -> None:
    assert json.loads((ASSETS / "manifest.json").read_text()) == build_manifest()


def test_assets_stay_small() -> None:
    sheets = sum((ASSETS / f"emojidomains/{style}.webp").stat().st_size for style in STYLES)
    assert sheets <= 5_000_000
    assert (ASSETS / "tiny_clip/model.safetensors").stat().st_size <= 5_000_000
    assert (ASSETS / "tiny_clip/robust.safetensors").stat().st_size <= 3_000_000


@pytest.mark.parametrize("style", STYLES)
def test_sheet_has_a_drawn_tile_for_every_concept(style: str) -> None:
    tiles = load_sheet(style, len(CONCEPTS))
    assert tiles.shape == (len(CONCEPTS), 64, 64, 3)
    assert (tiles.reshape(len(CONCEPTS), -1).std(axis=1) > 1).all()


def test_concepts_are_numbered_in_order_and_distinct() -> None:
    assert [c["index"] for c in CONCEPTS] == list(range(len(CONCEPTS)))
    assert len({c["codepoint"] for c in CONCEPTS}) == len(CONCEPTS)
    assert all(DOCUMENT["classes"][c["subgroup"]] == c["class"] for c in CONCEPTS)


def test_pools_do_not_overlap() -> None:
    for concept in CONCEPTS:
        assert (concept["split"] is None) == (concept["pool"] == "pretraining")
    share = sum(c["pool"] == "pretraining" for c in CONCEPTS) / len(CONCEPTS)
    assert 0.58 < share < 0.62


def test_every_benchmark_class_can_be_trained_chosen_and_tested() -> None:
    assert len(BENCHMARK) == 36
    assert sorted(BENCHMARK) == BENCHMARK
    counts = Counter((c["class"], c["split"]) for c in CONCEPTS)
    for name in BENCHMARK:
        sizes = [counts[name, split] for split in ("train", "validation", "test")]
        assert min(sizes) >= 1
        assert sum(sizes) >= 4


def test_attributes_are_ten_distinct_phrases_that_leak_no_evaluation_concept() -> None:
    hidden = {c["name"] for c in CONCEPTS if c["pool"] == "evaluation"}
    for name, phrases in DOCUMENT["attributes"].items():
        assert len(set(phrases)) == len(phrases) == 10
        assert not hidden.intersection(phrases)
        assert name not in phrases


def test_tokenizer_has_the_vocabulary_of_the_model() -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.vocab_size == load_config()["text_cfg"]["vocab_size"] == 4610
    assert tokenizer(["a picture of a bird."]).shape == (1, 32)


def test_checkpoint_is_an_open_clip_model() -> None:
    model = build_model(load_config())
    state = load_file(ASSETS / "tiny_clip/model.safetensors")
    assert all(tensor.dtype == torch.float16 for tensor in state.values())
    model.load_state_dict(state, strict=True)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_lean_forward_equals_open_clip() -> None:
    torch.manual_seed(0)
    model = build_model(load_config()).eval()
    images = torch.randn(2, 3, 64, 64)
    tokens = build_tokenizer()(["a bird", "a picture of a road vehicle."])
    with torch.no_grad():
        lean_images = encode_patches(model, patchify(images, 8), keep=None)
        lean_texts = encode_tokens(model, tokens[:, :20])
        assert torch.allclose(lean_images, model.encode_image(images, normalize=True), atol=1e-5)
        assert torch.allclose(lean_texts, model.encode_text(tokens, normalize=True), atol=1e-5)
