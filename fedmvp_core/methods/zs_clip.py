"""ZS-CLIP: the frozen model with the plain template (Radford et al., ICML 2021). Nothing is trained."""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.none import NoPrompts

method = Method(
    name="zs-clip",
    paper="CLIP (ICML 2021)",
    prompting=lambda backbone, config: NoPrompts(),
    objective=None,
)
