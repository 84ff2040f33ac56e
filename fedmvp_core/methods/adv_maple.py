"""AdvMaPLe: MaPLe's prompts, trained on adversarial images alone.

A baseline of FAP (Zhou et al., NeurIPS 2024) on MaPLe (Khattak et al., CVPR 2023). Fixed by the
public code: length 2, depth 9, image prompts projected from text prompts, cross-entropy on
adversarial images.
"""

from fedmvp_core.methods.method import Method
from fedmvp_core.methods.schedules import FAP_DEEP
from fedmvp_core.prompting.coupled import DeepOptions, deep_prompts

method = Method(
    name="adv-maple",
    paper="AdvMaPLe (FAP's baseline, NeurIPS 2024)",
    prompting=lambda backbone, options, words: deep_prompts(
        backbone, options, words, coupling="text-to-image"
    ),
    objective="adversarial",
    options=DeepOptions,
    published=FAP_DEEP,
    reads_attributes=False,
)
