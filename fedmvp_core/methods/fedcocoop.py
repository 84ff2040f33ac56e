"""FedCoCoOp: words that a small network shifts for each image, averaged over clients.

CoCoOp (Zhou et al., CVPR 2022), federated in the experiments of FedTPG (Qiu et al., ICLR 2024) and
FedMVP. Fixed by the public code: 4 words, a network narrowed by 16, cross-entropy, batches of 1
image, since every image has sentences of its own; here any `batch-size` goes.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FEDTPG
from fedmvp_core.prompting.conditional_context import ConditionalContextOptions

method = Method(
    name="fedcocoop",
    paper="FedCoCoOp: CoCoOp (CVPR 2022) as in FedTPG (ICLR 2024)",
    prompting="conditional-context",
    objective="cross-entropy",
    options=ConditionalContextOptions,
    published=FEDTPG,
    reads_attributes=False,
)
