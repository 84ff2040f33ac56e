"""Images with labels, and the three splits of a data set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from fedmvp_core.data.pixels.files import PictureFiles, take_rows


@dataclass(frozen=True)
class JoinedPictures:
    """Pictures of several sources in a row; none is read or copied before it is asked for."""

    parts: "tuple[Pictures, ...]"

    @property
    def image_size(self) -> int:
        """Side in pixels, the same for all."""
        return side_of(self.parts[0])

    def select(self, indices: Tensor) -> "Pictures":
        """The pictures at `indices` ((k,) int64), in that order; of one source alone, that one's.

        Sources stay apart where the indices go through them in their order; otherwise all are read.
        """
        lengths = torch.tensor([len(part) for part in self.parts])
        ends = lengths.cumsum(dim=0)
        source_of = torch.bucketize(indices, ends, right=True)
        if bool((source_of.diff() < 0).any()):
            return take_rows(self.read(), indices)
        chosen = tuple(
            selected(
                self.parts[source], indices[source_of == source] - ends[source] + lengths[source]
            )
            for source in source_of.unique().tolist() or [0]
        )
        return chosen[0] if len(chosen) == 1 else JoinedPictures(chosen)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def read(self) -> Tensor:
        """(n, 3, image_size, image_size) uint8, a copy."""
        return torch.cat([part if isinstance(part, Tensor) else part.read() for part in self.parts])


Pictures: TypeAlias = Tensor | PictureFiles | JoinedPictures


def selected(pictures: Pictures, indices: Tensor) -> Pictures:
    """The pictures at `indices` ((k,) int64), in that order."""
    return pictures[indices] if isinstance(pictures, Tensor) else pictures.select(indices)


def side_of(pictures: Pictures) -> int:
    """Side in pixels; no file is opened to say it."""
    return pictures.shape[-1] if isinstance(pictures, Tensor) else pictures.image_size


class ImageSet:
    """Images that are classified against `class_names`.

    pictures: (n, 3, size, size) uint8; of files, decoded when they are first read, so that cutting
    a set into pieces opens no file. labels: (n,) int64, positions in class_names; or, of a
    multi-label set, (n, classes) int64: 1 the class is there, 0 it is not, -1 nobody knows. domains
    and names: n strings, an image's domain ("" when there is none) and what to call it.
    """

    def __init__(
        self,
        images: Pictures,
        labels: Tensor,
        domains: tuple[str, ...],
        names: tuple[str, ...],
        class_names: tuple[str, ...],
    ) -> None:
        self.pictures = images
        self.labels = labels
        self.domains = domains
        self.names = names
        self.class_names = class_names

    @property
    def images(self) -> Tensor:
        """(n, 3, size, size) uint8.

        Raises:
            DataError: a file is missing, or is no picture.
        """
        return self.pictures if isinstance(self.pictures, Tensor) else self.pictures.read()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def multi_label(self) -> bool:
        """Whether an image may show several of the classes, or none."""
        return self.labels.ndim == 2

    @property
    def image_size(self) -> int:
        """Side of the images in pixels; no file is opened to say it."""
        return side_of(self.pictures)

    def select(self, indices: Tensor) -> "ImageSet":
        """The images at `indices` ((k,) int64), in that order, with the same class names."""
        positions = indices.tolist()
        return ImageSet(
            images=selected(self.pictures, indices),
            labels=self.labels[indices],
            domains=tuple(self.domains[i] for i in positions),
            names=tuple(self.names[i] for i in positions),
            class_names=self.class_names,
        )

    def with_labels(self, labels: Tensor, class_names: Sequence[str] | None = None) -> "ImageSet":
        """The same images under other labels; class_names: None keeps the set's."""
        names = self.class_names if class_names is None else tuple(class_names)
        return ImageSet(self.pictures, labels, self.domains, self.names, names)

    def of_classes(self, class_names: Sequence[str]) -> "ImageSet":
        """Labelled against these classes, in their order.

        A single-label set keeps the images of the classes. A multi-label one keeps all images, for
        one that shows none of the classes is an example of their absence; its labels lose the
        columns of other classes.
        """
        if self.multi_label:
            columns = [self.class_names.index(name) for name in class_names]
            return self.with_labels(self.labels[:, columns], class_names)
        new_label = torch.full((len(self.class_names),), -1)
        for label, name in enumerate(class_names):
            new_label[self.class_names.index(name)] = label
        kept = self.select(torch.nonzero(new_label[self.labels] >= 0).flatten())
        return kept.with_labels(new_label[kept.labels], class_names)

    def of_domains(self, domains: Sequence[str]) -> "ImageSet":
        """The images of these domains."""
        kept = [i for i, domain in enumerate(self.domains) if domain in domains]
        return self.select(torch.tensor(kept, dtype=torch.int64))

    def present_classes(self) -> tuple[str, ...]:
        """Names of the classes that an image shows, in the order of class_names."""
        return tuple(self.class_counts())

    def class_counts(self) -> dict[str, int]:
        """Images of each class that is present; an image of a multi-label set may count often."""
        if self.multi_label:
            counts = (self.labels == 1).sum(dim=0).tolist()
        else:
            counts = torch.bincount(self.labels, minlength=len(self.class_names)).tolist()
        return {name: count for name, count in zip(self.class_names, counts, strict=True) if count}

    def domain_counts(self) -> dict[str, int]:
        """Images of each domain that is present, sorted by name."""
        return dict(sorted(Counter(self.domains).items()))


@dataclass(frozen=True)
class Dataset:
    """A data set's splits, all labelled against the same sorted class names.

    attributes: class name -> phrases, or None when the data set comes without. warnings: what a run
    says before it begins.
    """

    name: str
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    attributes: Mapping[str, Sequence[str]] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names of all three splits."""
        return self.train.class_names

    @property
    def domains(self) -> tuple[str, ...]:
        """Sorted names of the domains of the training images."""
        return tuple(sorted(set(self.train.domains)))
