"""FedAPT's idea: its size."""

from simulations.plugins.sizes import method_sizes


def test_size_at_published_widths() -> None:
    (size,) = method_sizes("fedapt", "ViT-B-16")
    assert (size.elements, size.personal) == (1_453_824, 0)
