"""Names that can be used, names that are refused, and why."""

import open_clip
import pytest
from open_clip import constants

from fedmvp_core.backbone import configs
from fedmvp_core.backbone.configs import open_clip_config, refuse_unsupported
from fedmvp_core.errors import ConfigError


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B/16", "ViT-L-14-336-quickgelu", "ViT-bigG-14"])
def test_plain_vits_are_known(name: str) -> None:
    config = open_clip_config(name)
    assert config.name == name.replace("/", "-")
    assert config.mean == (0.48145466, 0.4578275, 0.40821073)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RN50", "its image tower is a ResNet"),
        ("convnext_base", "its image tower is timm's 'convnext_base'"),
        ("ViT-B-16-SigLIP", "its image tower is timm's"),
        ("coca_ViT-B-32", "it is a CoCa model"),
        ("roberta-ViT-B-32", "its text tower is Hugging Face's 'roberta-base'"),
        ("ViT-L-14-CLIPA", "its image tower has no LayerNorm before the blocks"),
        ("ViT-L-14-worldwide", "it needs the tokenizer 'google/mt5-base'"),
    ],
)
def test_other_towers_are_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' cannot be used: {reason}"):
        open_clip_config(name)


@pytest.mark.parametrize(
    ("tower", "options", "reason"),
    [
        ("vision_cfg", {"attentional_pool": True}, "pools by attention"),
        ("vision_cfg", {"pool_type": "avg"}, "image tower pools by 'avg'"),
        ("vision_cfg", {"image_size": (224, 112)}, r"image_size \(224, 112\) is not square"),
        ("vision_cfg", {"qk_norm": True, "scale_fc": True}, "image tower use qk_norm, scale_fc"),
        ("vision_cfg", {"block_type": "custom"}, "use block_type=custom"),
        ("text_cfg", {"no_causal_mask": True}, "does not read causally"),
        ("text_cfg", {"embed_cls": True}, "does not read causally"),
        ("text_cfg", {"pool_type": "last"}, "text tower pools by 'last'"),
        ("text_cfg", {"scale_heads": True}, "text tower use scale_heads"),
    ],
)
def test_each_unsupported_option_is_named(
    tower: str, options: dict[str, object], reason: str
) -> None:
    architecture = open_clip.get_model_config("ViT-B-32")
    refuse_unsupported("mine", architecture)
    architecture[tower].update(options)
    with pytest.raises(ConfigError, match=reason):
        refuse_unsupported("mine", architecture)


def test_an_unknown_name_lists_close_ones() -> None:
    with pytest.raises(ConfigError, match=r"'VIT-B16' is unknown: did you mean 'ViT-B-16'"):
        open_clip_config("VIT-B16")
    with pytest.raises(ConfigError, match="'tinny' is unknown: did you mean 'tiny'"):
        open_clip_config("tinny")
    with pytest.raises(ConfigError, match="use 'tiny', a ViT of"):
        open_clip_config("zzzzzz")


def test_pixel_statistics_are_open_clips() -> None:
    assert configs.OPENAI_MEAN == constants.OPENAI_DATASET_MEAN
    assert configs.OPENAI_STD == constants.OPENAI_DATASET_STD
