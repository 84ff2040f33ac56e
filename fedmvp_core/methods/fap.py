"""FAP: Few-Shot Adversarial Prompt Learning on Vision-Language Models.

Zhou et al., NeurIPS 2024. Fixed by the public code: length 2, depth 9, text prompts projected from
image prompts (at the first layer the other way round), a divergence weighted by 1.5 and by how near
clean and adversarial features are, and PGD on the divergence from the clean scores (2 steps of
1/255 within 1/255).
"""

from fedmvp_core.local.attack import pgd_attack
from fedmvp_core.methods.method import Method
from fedmvp_core.objectives.fap import fap_objective
from fedmvp_core.prompting.coupled import build_coupled

method = Method(
    name="fap",
    paper="FAP (NeurIPS 2024)",
    prompting=lambda backbone, config, class_names: build_coupled(
        backbone, config, class_names, coupling="image-to-text"
    ),
    objective=fap_objective,
    attack=pgd_attack("kl"),
)
