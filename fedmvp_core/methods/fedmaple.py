"""FedMaPLe: MaPLe's deep prompts in both encoders, averaged over clients.

MaPLe (Khattak et al., CVPR 2023), federated in the experiments of FedMVP (Singha et al., ICCV
2025). Fixed by the public code: length 2, depth 9, image prompts projected from text prompts,
cross-entropy. It is `adv-maple` on clean images.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.coupled import DeepOptions, deep_prompts

method = Method(
    name="fedmaple",
    paper="FedMaPLe: MaPLe (CVPR 2023) as in FedMVP (ICCV 2025)",
    prompting=lambda backbone, options, words: deep_prompts(
        backbone, options, words, coupling="text-to-image"
    ),
    objective="cross-entropy",
    options=DeepOptions,
    published=MappingProxyType(
        {"method.deep-length": 2, "method.deep-depth": 0, "method.prompt-init": "random"}
    ),
    reads_attributes=False,
)
