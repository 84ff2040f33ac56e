"""PositiveCoOp: its size, a part of which is of each class."""

from simulations.plugins.sizes import method_sizes


def test_size_at_published_widths() -> None:
    (size,) = method_sizes("positivecoop", "ViT-B-16")
    assert (size.elements, size.classes) == (16 * 512 + 10 * 512, 10)
