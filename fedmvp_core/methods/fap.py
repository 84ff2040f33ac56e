"""FAP: Few-Shot Adversarial Prompt Learning on Vision-Language Models.

Zhou et al., NeurIPS 2024. Fixed by the public code: length 2, depth 9, text prompts projected from
image prompts (at the first layer the other way round), a divergence weighted by 1.5 and by how near
clean and adversarial features are, and PGD on KL(p(x) || p(x~)) (2 steps of 1/255 within 1/255).
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FAP_DEEP
from fedmvp_core.prompting.coupled import DeepOptions, deep_prompts

method = Method(
    name="fap",
    paper="FAP (NeurIPS 2024)",
    prompting=lambda backbone, options, words: deep_prompts(
        backbone, options, words, coupling="image-to-text"
    ),
    objective="fap",
    options=DeepOptions,
    published=FAP_DEEP,
    reads_attributes=False,
)
