"""FedCLIP: Fast Generalization and Personalization for CLIP in Federated Learning.

Lu et al., IEEE Data Engineering Bulletin 2023. An adapter weighs the parts of a frozen image
feature. Fixed by the public code: CLIP's contrastive loss over the pairs of a batch, Adam, a
uniform mean. Here clients take SGD's steps, as those of every method do.
"""

from types import MappingProxyType

from fedmvp_core.methods.method import Method

method = Method(
    name="fedclip",
    paper="FedCLIP (IEEE DEB 2023)",
    prompting="feature-adapter",
    objective="fedclip",
    published=MappingProxyType({"rounds": 300, "batch-size": 32, "weighting": "uniform"}),
    reads_attributes=False,
)
