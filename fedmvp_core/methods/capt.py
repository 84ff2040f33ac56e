"""CAPT: Consistency-guided Adversarial Prompt Tuning (arXiv 2405.11154).

Multi-modal deep prompts; clean cross-entropy, and adversarial predictions held to those of the
tuned and of the frozen model on clean images. Prompt length and depth, the attack, lambda and the
closed form of alpha_cons are not public: `deep-length`, `deep-depth`, `coupling`, `epsilon`,
`attack-steps`, `capt-weight` and `alpha-cons` set them, and the strategies are this project's.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.coupled import CoupledOptions

method = Method(
    name="capt",
    paper="CAPT (arXiv 2405.11154)",
    prompting="coupled",
    objective="capt",
    options=CoupledOptions,
    reads_attributes=False,
)
