"""PromptFL: Let Federated Participants Cooperatively Learn Prompts Instead of Models.

Guo et al., IEEE TMC 2023: CoOp's learned words, cross-entropy, averaged. Fixed by the public code:
16 words for all classes, N(0, 0.02) at the start, an unweighted mean. FedTPG's and FedMVP's tables
have it with 4 words (`context-length=4`), as FedCoOp.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import COOP_PICTURES
from fedmvp_core.prompting.text_context import TextContextOptions

method = Method(
    name="promptfl",
    paper="PromptFL (IEEE TMC 2023)",
    prompting="text-context",
    objective="cross-entropy",
    options=TextContextOptions,
    published=MappingProxyType(
        {
            **COOP_PICTURES,
            "rounds": 20,
            "local-epochs": 5,
            "learning-rate": 0.001,
            "batch-size": 32,
            "weighting": "uniform",
            "method.context-length": 16,
        }
    ),
    reads_attributes=False,
)
