"""ZS-CLIP: the frozen model, plain template, nothing trained (Radford et al., ICML 2021)."""

from fedmvp_core.methods.method import Method

method = Method(
    name="zs-clip",
    paper="CLIP (ICML 2021)",
    prompting="none",
    objective=None,
    reads_attributes=False,
)
