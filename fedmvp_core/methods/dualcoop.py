"""DualCoOp: a positive and a negative prompt for images with several labels, in a federation.

Sun et al., NeurIPS 2022. Trained with `multi-label-loss` (asl, whose defaults are its numbers). The
paper knows no federation: here its prompts are averaged as all others are.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.text_context import TextContextOptions

method = Method(
    name="dualcoop",
    paper="DualCoOp (NeurIPS 2022)",
    prompting="dual-text",
    objective="cross-entropy",
    options=TextContextOptions,
    reads_attributes=False,
)
