"""FedOTP: Global and Local Prompts Cooperation via Optimal Transport for Federated Learning.

Li et al., CVPR 2024. Cross-entropy; the global prompt is averaged, weighted by images
(`weighting=examples`), the local one never travels. Fixed by the public code: 16 words each,
epsilon 0.1 (0.01 in its scripts), 80 % of the patches' mass, up to 100 iterations, the plan without
a gradient in training.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import COOP_PICTURES
from fedmvp_core.prompting.global_local_text import GlobalLocalOptions

method = Method(
    name="fedotp",
    paper="FedOTP (CVPR 2024)",
    prompting="global-local-text",
    objective="cross-entropy",
    options=GlobalLocalOptions,
    reads_attributes=False,
    published=MappingProxyType(
        {**COOP_PICTURES, "rounds": 10, "learning-rate": 0.001, "weighting": "examples"}
    ),
)
