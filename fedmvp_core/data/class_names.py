"""Class names in a federation over several data sets: "dataset/class", so that no two are equal.

Caltech-101 and Oxford Flowers both have a sunflower. Sentences say the plain name.
"""

from collections.abc import Iterable

SEPARATOR = "/"  # in no name of a data set; a class's own name may hold it


def qualified(dataset: str, name: str) -> str:
    """The name that a class of one of several data sets goes by."""
    return f"{dataset}{SEPARATOR}{name}"


def unqualified(name: str) -> tuple[str, str]:
    """(data set, plain name) of a qualified name."""
    dataset, _, plain = name.partition(SEPARATOR)
    return dataset, plain


def by_dataset(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Data set -> its qualified names, both in the order in which they come."""
    grouped: dict[str, tuple[str, ...]] = {}
    for name in names:
        dataset, _ = unqualified(name)
        grouped[dataset] = (*grouped.get(dataset, ()), name)
    return grouped
