"""Images with labels, and the three splits of a data set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Images that are classified against `class_names`.

    images: (n, 3, size, size) uint8. labels: (n,) int64, positions in class_names; or, of a
    multi-label set, (n, classes) int64: 1 the class is there, 0 it is not, -1 nobody knows. domains
    and names: n strings, an image's domain ("" when there is none) and what to call it.
    """

    images: Tensor
    labels: Tensor
    domains: tuple[str, ...]
    names: tuple[str, ...]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def multi_label(self) -> bool:
        """Whether an image may show several of the classes, or none."""
        return self.labels.ndim == 2

    def select(self, indices: Tensor) -> "ImageSet":
        """The images at `indices` ((k,) int64), in that order, with the same class names."""
        positions = indices.tolist()
        return ImageSet(
            images=self.images[indices],
            labels=self.labels[indices],
            domains=tuple(self.domains[i] for i in positions),
            names=tuple(self.names[i] for i in positions),
            class_names=self.class_names,
        )

    def of_classes(self, class_names: Sequence[str]) -> "ImageSet":
        """Labelled against these classes, in their order.

        A single-label set keeps the images of the classes. A multi-label one keeps all images, for
        one that shows none of the classes is an example of their absence; its labels lose the
        columns of other classes.
        """
        if self.multi_label:
            columns = [self.class_names.index(name) for name in class_names]
            labels = self.labels[:, columns]
            return ImageSet(self.images, labels, self.domains, self.names, tuple(class_names))
        new_label = torch.full((len(self.class_names),), -1)
        for label, name in enumerate(class_names):
            new_label[self.class_names.index(name)] = label
        kept = self.select(torch.nonzero(new_label[self.labels] >= 0).flatten())
        return ImageSet(
            kept.images, new_label[kept.labels], kept.domains, kept.names, tuple(class_names)
        )

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

    attributes: class name -> phrases, or None when the data set comes without.
    """

    name: str
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    attributes: Mapping[str, Sequence[str]] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names

    @property
    def domains(self) -> tuple[str, ...]:
        """Sorted names of the domains of the training images."""
        return tuple(sorted(set(self.train.domains)))
