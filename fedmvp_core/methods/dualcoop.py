"""DualCoOp: a positive and a negative prompt for images with several labels, in a federation.

Sun et al., NeurIPS 2022. Trained with `multi-label-loss` (asl, whose defaults are its numbers). The
paper knows no federation: here its prompts are averaged as all others are.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.text_context import TextContextOptions

method = Method(
    name="dualcoop",
    paper="DualCoOp (NeurIPS 2022)",
    prompting="dual-text",
    objective="cross-entropy",
    options=TextContextOptions,
    reads_attributes=False,
    published=MappingProxyType(
        {"rounds": 50, "local-epochs": 1, "learning-rate": 0.001, "batch-size": 32}
    ),
)
