"""AVP: adversarial visual prompting, a learned frame on the pixels and five visual tokens.

Visual Prompting for Adversarial Robustness (Chen et al., ICASSP 2023), as a baseline of FAP (Zhou
et al., NeurIPS 2024). Fixed by FAP's public code: 30 pixels on each side at 224, all three
channels, five tokens, a learning rate of 40, cross-entropy on adversarial images. That code never
puts the frame on test images; here it is there whenever the model looks at an image.
"""

from fedmvp_core.backbone import Backbone
from fedmvp_core.config import RunConfig
from fedmvp_core.errors import ConfigError
from fedmvp_core.local.attack import pgd_attack
from fedmvp_core.methods.method import ClassNames, Method
from fedmvp_core.objectives.adversarial import adversarial_objective
from fedmvp_core.prompting.pixel_frame import PixelFrame

PUBLISHED_PAD, PUBLISHED_SIZE = 30, 224


def build_frame(backbone: Backbone, config: RunConfig, class_names: ClassNames) -> PixelFrame:
    """The frame and the tokens; raises ConfigError for a frame that leaves no picture inside."""
    size = backbone.image_size
    pad = config.model.pad_size or round(PUBLISHED_PAD * size / PUBLISHED_SIZE)
    if 2 * pad >= size:
        raise ConfigError(
            f"pad-size is {pad}; allowed: 1 to {(size - 1) // 2} at the {size} pixels of backbone "
            f"'{backbone.name}', or 0 for {PUBLISHED_PAD} at {PUBLISHED_SIZE} and in proportion"
        )
    return PixelFrame(size, backbone.image_width, pad)


method = Method(
    name="avp",
    paper="AVP (ICASSP 2023)",
    prompting=build_frame,
    objective=adversarial_objective,
    attack=pgd_attack("ce"),
)
