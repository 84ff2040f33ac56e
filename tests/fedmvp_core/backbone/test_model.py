"""The backbone's face: pixels, sentences, counts, frozen state, hash."""

import pytest
import torch

from fedmvp_core.backbone import (
    Backbone,
    FeatureCache,
    cached_image_features,
    load_backbone,
)


def test_attributes_of_tiny(tiny: Backbone) -> None:
    assert (tiny.name, tiny.pretrained) == ("tiny", None)
    assert (tiny.image_size, tiny.patch_size, tiny.embed_dim) == (64, 8, 128)
    assert (tiny.image_width, tiny.image_layers) == (128, 6)
    assert (tiny.text_width, tiny.text_layers, tiny.context_length) == (128, 3, 32)
    assert tiny.logit_scale.shape == ()
    assert float(tiny.logit_scale) == pytest.approx(1 / 0.07)


def test_uint8_and_float_pixels_give_the_same_features(tiny: Backbone) -> None:
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        from_bytes, from_floats = tiny.encode_image(images), tiny.encode_image(images / 255)
    assert torch.equal(from_bytes, from_floats)


def test_patches_and_rest_make_the_whole(tiny: Backbone) -> None:
    images, prompts = torch.rand(2, 3, 64, 64), {0: torch.randn(2, 4, 128)}
    with torch.no_grad():
        tokens = tiny.embed_patches(images)
        assert tokens.shape == (2, 65, 128)
        whole = tiny.encode_image(images, prompts)
        assert torch.equal(tiny.encode_tokens(tokens, prompts), whole)


def test_everything_encoded_is_counted(tiny: Backbone) -> None:
    images = torch.rand(3, 3, 64, 64)
    tiny.encode_image(images)
    tiny.encode_image(images, {})
    tiny.encode_image(images[:2], {0: torch.zeros(1, 128)})
    tiny.encode_text(["a cat", "a dog"])
    tiny.tokenize(["a bird"])
    assert tiny.encoded == {"images": 6, "prompted_images": 2, "sentences": 2}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 64, 64), r"shape \(3, 64, 64\); 'tiny' expects \(n, 3, 64, 64\)"),
        (torch.rand(1, 3, 32, 32), r"shape \(1, 3, 32, 32\)"),
        (torch.rand(1, 64, 64, 3), r"shape \(1, 64, 64, 3\)"),
        (torch.ones(1, 3, 64, 64, dtype=torch.int64), "torch.int64; expected float in"),
        (torch.full((1, 3, 64, 64), 255.0), "reach 255; divide by 255"),
    ],
)
def test_images_that_do_not_fit_are_refused(
    tiny: Backbone, images: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny.embed_patches(images)


def test_image_tokens_that_do_not_fit_are_refused(tiny: Backbone) -> None:
    with pytest.raises(ValueError, match=r"\(1, 64, 128\); expected \(n, 65, 128\)"):
        tiny.encode_tokens(torch.zeros(1, 64, 128))


def test_long_sentences_keep_their_end(tiny: Backbone) -> None:
    short, long = tiny.tokenize(["cat", "cat " * 100])
    assert long.shape == (32,)
    assert long.dtype == torch.int64
    assert long[-1] == short.max() == 4609
    assert long[0] == short[0] == 4608


@pytest.mark.parametrize("sentences", ["a cat", []])
def test_what_is_no_list_of_sentences_is_refused(tiny: Backbone, sentences: object) -> None:
    with pytest.raises(ValueError, match="expected a list of one or more sentences"):
        tiny.encode_text(sentences)  # type: ignore[arg-type]


def test_token_ids_that_do_not_fit_are_refused(tiny: Backbone) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 77\); expected \(n, 32\)"):
        tiny.encode_text(torch.zeros(2, 77, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"torch\.float32; expected int64"):
        tiny.encode_text(torch.zeros(2, 32))


def test_text_prompts_need_words_to_replace(tiny: Backbone) -> None:
    with pytest.raises(ValueError, match="sentence 1 has only 1"):
        tiny.encode_text(["one two three four", "cat"], {0: torch.zeros(4, 128)})


def test_training_mode_leaves_the_towers_alone(tiny: Backbone) -> None:
    tiny.train()
    assert tiny.training
    assert not any(module.training for module in tiny.clip.modules())
    tiny.eval()


def test_hash_tells_weights_and_activations_apart(tiny: Backbone) -> None:
    assert tiny.weights_hash == load_backbone("tiny").weights_hash
    other = load_backbone("tiny")
    with torch.no_grad():
        other.clip.visual.proj[0, 0] += 1
    assert other.weights_hash != tiny.weights_hash
    other = load_backbone("tiny")
    other._config.architecture["quick_gelu"] = True
    assert other.weights_hash != tiny.weights_hash


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bfloat16_on_cuda_stays_close_to_float32() -> None:
    exact = load_backbone("tiny", device="cuda")
    fast = load_backbone("tiny", device="cuda", precision="bf16")
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, device="cuda")
    prompts = torch.randn(4, 2, 128, device="cuda", requires_grad=True)
    expected = exact.encode_image(images, {0: prompts}, normalize=True)
    got = fast.encode_image(images, {0: prompts}, normalize=True)
    assert got.dtype == fast.embed_patches(images).dtype == torch.float32
    assert torch.allclose(got, expected, atol=0.05)
    got.sum().backward()
    assert prompts.grad is not None
    text = fast.encode_text(["a cat"], normalize=True)
    assert text.device.type == "cuda"
    assert torch.allclose(text, exact.encode_text(["a cat"], normalize=True), atol=0.05)
    features = cached_image_features(fast, images.cpu(), FeatureCache())
    assert features.device.type == "cuda"
