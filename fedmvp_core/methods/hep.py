"""HEP: hand-engineered prompts on a robust backbone; nothing is trained.

The baseline of One Prompt Word is Enough to Boost Adversarial Robustness for Pre-trained
Vision-Language Models (Li et al., CVPR 2024): classes are sentences such as "a photo of a cat.",
here the run's `template`. Whatever is robust about it is the backbone's: give it robust weights.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import ONE_MACHINE

method = Method(
    name="hep",
    paper="hand-engineered prompts (APT's baseline, CVPR 2024)",
    prompting="none",
    objective=None,
    published=MappingProxyType({k: v for k, v in ONE_MACHINE.items() if k.startswith("robust-")}),
    reads_attributes=False,
)
