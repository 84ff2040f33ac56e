"""ZS-CLIP: the frozen model, plain template, nothing trained (Radford et al., ICML 2021)."""

from fedmvp_core.methods.method import Method
from fedmvp_core.prompting.none import NoPrompts

method = Method(
    name="zs-clip",
    paper="CLIP (ICML 2021)",
    prompting=lambda backbone, config, class_names: NoPrompts(),
    objective=None,
)
