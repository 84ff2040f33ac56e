"""FedTPG: Federated Text-driven Prompt Generation for Vision-Language Models.

Qiu et al., ICLR 2024. A generator makes 4 words of the names of a client's classes. Fixed by the
public code: 4 heads, no self-attention after the cross-attention, cross-entropy, the whole
generator sent, an unweighted mean.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FEDTPG
from fedmvp_core.prompting.generated_context import GeneratedContextOptions

method = Method(
    name="fedtpg",
    paper="FedTPG (ICLR 2024)",
    prompting="generated-context",
    objective="cross-entropy",
    options=GeneratedContextOptions,
    published=FEDTPG,
    reads_attributes=False,
)
