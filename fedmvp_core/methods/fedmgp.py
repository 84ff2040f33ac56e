"""FedMGP: Personalized Federated Learning with Multi-Group Text-Visual Prompts.

Bo et al., NeurIPS 2025. Fixed by the public code: five groups of two words and two image tokens,
two of them sent, drawn without replacement by a softmax of temperature 1. Its start, the words "a
photo" with noise, is left for a plain draw.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import COOP_PICTURES
from fedmvp_core.prompting.prompt_groups import PromptGroupsOptions

method = Method(
    name="fedmgp",
    paper="FedMGP (NeurIPS 2025)",
    prompting="prompt-groups",
    objective="fedmgp",
    options=PromptGroupsOptions,
    reads_attributes=False,
    published=MappingProxyType(
        {
            **COOP_PICTURES,
            "rounds": 10,
            "local-epochs": 2,
            "learning-rate": 0.001,
            "batch-size": 8,
            "method.groups": 5,
            "method.sent-groups": 2,
        }
    ),
)
