"""What a data set's reader finds: picture files with labels, not a pixel of them read yet.

A reader is a function from a data set's folder to its Listing; ReaderEntry says what is known of
the data set beforehand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from fedmvp_core.data.readers.templates import attribute_stems_of, template_of

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
    the data set comes with some. complete: it has as many classes as were published, whose names
    are then taken as they are.

    notes: what was left out or mended, for `fedmvp datasets check`. warnings: what a run says too.
    faults: what must be mended before a run; whoever loads the listing refuses it.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Sequence[Picture]]
    template: str = "a photo of a {class}."
    multi_label: bool = False
    attributes: Mapping[str, Sequence[str]] | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    complete: bool = False


# The folder that holds a data set -> what is in it. Raises DataError with the path at fault.
Reader: TypeAlias = Callable[[Path], Listing]


@dataclass(frozen=True)
class ReaderEntry:
    """A data set, where it is, and what a complete copy of it holds.

    folder: below the data root, in CoOp's, FedMVP's and OpenFedML's layouts. expected_counts:
    pictures of the splits whose sizes are published. domains: () where there are none. multi_label:
    whether a picture may have several labels.
    """

    name: str
    reader: Reader
    folder: str
    expected_classes: int
    expected_counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    domains: tuple[str, ...] = ()
    multi_label: bool = False

    @property
    def template(self) -> str:
        """Zero-shot CLIP's sentence, with {class}."""
        return template_of(self.name)

    @property
    def attribute_stems(self) -> Mapping[str, str]:
        """Domain ("" without any) -> what stands before ", which has <attribute>", with {class}."""
        return attribute_stems_of(self.name)
