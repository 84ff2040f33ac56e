"""What the multi-label readers share: tables of 0 and 1, and the way from rows to a listing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fedmvp_core.data.listing import Listing, Picture
from fedmvp_core.data.readers.assemble import check_distinct, clean_name
from fedmvp_core.data.readers.folders import first_few
from fedmvp_core.data.readers.multilabel.csv_table import read_table
from fedmvp_core.data.readers.templates import template_of
from fedmvp_core.errors import DataError

ONES, ZEROS = frozenset({"1", "1.0"}), frozenset({"0", "0.0"})


class LabelRow(NamedTuple):
    """A picture's name, as the annotations write it, and the sorted positions of its labels."""

    file: str
    labels: tuple[int, ...]


def make_multi_label_listing(
    name: str,
    class_names: Sequence[str],
    splits: Mapping[str, Sequence[Picture]],
    min_labels: int = 0,
    notes: Sequence[str] = (),
    attributes: Mapping[str, Sequence[str]] | None = None,
    own: bool = False,
) -> Listing:
    """Clean the class names up, and leave out pictures with fewer than `min_labels` labels.

    own: names of a user's own, whose alike spellings `spellings.settled` refuses or merges.

    Raises:
        DataError: class names that are the same once cleaned up; a split without any picture left.
    """
    if not own:
        check_distinct(name, class_names)
    cleaned = tuple(class_names if own else map(clean_name, class_names))
    kept: dict[str, list[Picture]] = {}
    said = list(notes)
    for split, pictures in splits.items():
        kept[split] = [picture for picture in pictures if len(picture.labels) >= min_labels]
        if not kept[split]:
            which = f" with {min_labels} labels or more" if pictures else ""
            raise DataError(f"{name}: split '{split}' has no pictures{which}")
        if len(kept[split]) < len(pictures):
            said.append(
                f"split '{split}': {len(pictures) - len(kept[split])} of {len(pictures)} pictures "
                f"have fewer than {min_labels} labels and are left out"
            )
        present = {label for picture in kept[split] for label in picture.labels}
        bare = [class_name for label, class_name in enumerate(cleaned) if label not in present]
        if bare:
            said.append(f"split '{split}' has no picture of {first_few(bare)}")
    return Listing(
        name=name,
        class_names=cleaned,
        splits=kept,
        template=template_of(name),
        multi_label=True,
        attributes=attributes,
        notes=tuple(said),
    )


def read_indicators(file: Path) -> tuple[tuple[str, ...], list[LabelRow]]:
    """A table of a picture's name and a column a class, 1 where the class is there.

    Returns: the class names in the order of the columns, and the rows.

    Raises:
        DataError: see `read_table`; or a cell is neither 0 nor 1, or a picture is named twice.
    """
    table = read_table(file)
    first, *class_names = table.columns
    found: dict[str, LabelRow] = {}
    for line, row in table.rows:
        name = row[first]
        if name in found:
            raise DataError(f"'{file}' names '{name}' twice, the second time in line {line}")
        for class_name in class_names:
            if row[class_name] not in ONES | ZEROS:
                raise DataError(
                    f"line {line} of '{file}' has '{row[class_name]}' for class '{class_name}'; "
                    "allowed: 0 and 1"
                )
        labels = tuple(c for c, class_name in enumerate(class_names) if row[class_name] in ONES)
        found[name] = LabelRow(name, labels)
    return tuple(class_names), list(found.values())
