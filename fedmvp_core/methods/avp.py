"""AVP: adversarial visual prompting, a learned frame on the pixels and five visual tokens.

Visual Prompting for Adversarial Robustness (Chen et al., ICASSP 2023), as a baseline of FAP (Zhou
et al., NeurIPS 2024). Fixed by FAP's public code: 30 pixels on each side at 224, all three
channels, five tokens, a learning rate of 40, cross-entropy on adversarial images. That code never
puts the frame on test images; here it is there whenever the model looks at an image.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fedmvp_core.config import Scalar
from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FAP_SCHEDULE
from fedmvp_core.prompting.pixel_frame import PixelFrameOptions

# The frame's learning rate; a batch size was not seen.
PUBLISHED: Mapping[str, Scalar] = MappingProxyType(
    {**FAP_SCHEDULE, "learning-rate": 40.0, "method.pad-size": 0}
)

method = Method(
    name="avp",
    paper="AVP (ICASSP 2023)",
    prompting="pixel-frame",
    objective="adversarial",
    options=PixelFrameOptions,
    published=PUBLISHED,
    reads_attributes=False,
)
