"""FedPGP: Harmonizing Generalization and Personalization in Federated Prompt Learning.

Cui et al., ICML 2024. Clients share words sigma and keep a change U V of rank 4 to themselves; a
contrastive term holds the shared text near the hand-written one and away from the client's own.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import COOP_PICTURES
from fedmvp_core.prompting.low_rank_text import LowRankTextOptions

method = Method(
    name="fedpgp",
    paper="FedPGP (ICML 2024)",
    prompting="low-rank-text",
    objective="fedpgp",
    options=LowRankTextOptions,
    reads_attributes=False,
    published=MappingProxyType({**COOP_PICTURES, "weighting": "examples"}),
)
