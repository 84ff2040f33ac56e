"""Frozen CLIP: loading, tokenizing, one prompted forward for each encoder, a cache of features.

Nothing here is trained. Gradients flow to the prompts and to the pixels, never to a weight.
"""

from fedmvp_core.backbone.cache import (
    FeatureCache,
    cached_image_features,
    cached_text_features,
)
from fedmvp_core.backbone.checkpoints import save_image_tower
from fedmvp_core.backbone.loading import load_backbone, load_tokenizer
from fedmvp_core.backbone.model import Backbone, counting, placeholder_sentences
from fedmvp_core.backbone.tokenizing import Tokenizer
from fedmvp_core.backbone.weights import split_pretrained

__all__ = [
    "Backbone",
    "FeatureCache",
    "Tokenizer",
    "cached_image_features",
    "cached_text_features",
    "counting",
    "load_backbone",
    "load_tokenizer",
    "placeholder_sentences",
    "save_image_tower",
    "split_pretrained",
]
