"""PositiveCoOp: a positive prompt and a learned negative feature, in a federation.

Rawlekar et al., WACV 2025. The public code also learns an offset of each positive feature, which is
left out here. The paper knows no federation: here what is trained is averaged as all else is.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.dual_text import PositiveContextOptions

method = Method(
    name="positivecoop",
    paper="PositiveCoOp (WACV 2025)",
    prompting="positive-text",
    objective="cross-entropy",
    options=PositiveContextOptions,
    reads_attributes=False,
)
