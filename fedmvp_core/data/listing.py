"""What a data set's reader finds: picture files with labels, not a pixel of them read yet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Picture:
    """A picture file and the positions of its labels in the listing's class names.

    A single-label picture has exactly one; a multi-label one any number, none included. domain: ""
    when the data set has no domains.
    """

    path: Path
    labels: tuple[int, ...]
    domain: str = ""


@dataclass(frozen=True)
class Listing:
    """A data set as its folder describes it.

    class_names: in label order, cleaned up as the papers do. splits: some of SPLITS. template: the
    sentence that zero-shot CLIP uses for it, with {class}. attributes: class name -> phrases, when
    the data set comes with some.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Sequence[Picture]]
    template: str = "a photo of a {class}."
    multi_label: bool = False
    attributes: Mapping[str, Sequence[str]] | None = None
    notes: tuple[str, ...] = field(default=())  # what was left out or mended, for the doctor


# The folder that holds a data set -> what is in it. Raises DataError with the path at fault.
Reader: TypeAlias = Callable[[Path], Listing]
