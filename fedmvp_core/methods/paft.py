"""PAFT: partial adversarial fine-tuning, a linear head on frozen, robust image features.

Adversarial Robustness: From Self-Supervised Pre-Training to Fine-Tuning (Chen et al., CVPR 2020);
APT's public code has it as its linear probe. Cross-entropy on adversarial images. The head starts
from the zero-shot classifier here; see `LinearHead` for what an untrained class gets.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import APT_ATTACK

method = Method(
    name="paft",
    paper="PAFT (CVPR 2020)",
    prompting="linear-head",
    objective="adversarial",
    published=APT_ATTACK,  # whose code has it; the rest of its schedule was not seen
    reads_attributes=False,
)
