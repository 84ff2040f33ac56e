"""FedOTP: its size."""

from simulations.plugins.sizes import method_sizes


def test_size_at_published_widths() -> None:
    (size,) = method_sizes("fedotp", "ViT-B-16")
    assert (size.elements, size.personal) == (16 * 512, 16 * 512)
