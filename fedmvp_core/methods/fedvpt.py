"""FedVPT: free visual tokens, at the input or at every block (`deep`), averaged over clients.

VPT (Jia et al., ECCV 2022), federated in the experiments of FedTPG (Qiu et al., ICLR 2024) and
FedMVP. Their numbers of tokens are not public: 4 at the input, as their other prompts have, and 8
at every block, as MaPLe's VPT, are this project's reading. Cross-entropy against the plain
template.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FEDTPG
from fedmvp_core.prompting.visual_tokens import VisualTokensOptions

method = Method(
    name="fedvpt",
    paper="FedVPT: VPT (ECCV 2022) as in FedTPG (ICLR 2024)",
    prompting="visual-tokens",
    objective="cross-entropy",
    options=VisualTokensOptions,
    published=FEDTPG,
    reads_attributes=False,
)
