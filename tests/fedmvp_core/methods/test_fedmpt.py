"""FedMPT, as far as it is public: its size."""

from simulations.plugins.sizes import method_sizes


def test_size_at_published_widths() -> None:
    (size,) = method_sizes("fedmpt", "ViT-B-16")
    assert (size.elements, size.personal) == (173_221, 0)
