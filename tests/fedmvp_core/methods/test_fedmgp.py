"""FedMGP: its size."""

from simulations.plugins.sizes import method_sizes


def test_size_at_published_widths() -> None:
    (size,) = method_sizes("fedmgp", "ViT-B-16")
    assert (size.elements, size.personal) == (5_120, 3 * (2 * 512 + 2 * 768))
