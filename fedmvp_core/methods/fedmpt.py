"""FedMPT: Federated Multi-Label Prompt Tuning of Vision-Language Models.

Wang et al., CVPR 2026. Trained with `multi-label-loss`. Conditions are the five fixed words of the
public code; the paper lets a language model name them. What else is this project's is said in
prompting/conditioned_text.py: the paper counts 0.80 million parameters, this module 0.17.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.conditioned_text import ConditionedTextOptions

method = Method(
    name="fedmpt",
    paper="FedMPT (CVPR 2026), as far as it is public",
    prompting="conditioned-text",
    objective="cross-entropy",
    options=ConditionedTextOptions,
    reads_attributes=False,
    published=MappingProxyType({"local-epochs": 1, "learning-rate": 0.001, "augmentation": "none"}),
)
