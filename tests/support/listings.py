"""What tests ask of listings."""

import math
from collections import Counter

from fedmvp_core.data.listing import Listing, Picture


def counts(listing: Listing) -> dict[str, int]:
    return {split: len(pictures) for split, pictures in listing.splits.items()}


def every_picture(listing: Listing) -> list[Picture]:
    return [picture for pictures in listing.splits.values() for picture in pictures]


def class_of(listing: Listing, picture: Picture) -> str:
    (label,) = picture.labels
    return listing.class_names[label]


def class_counts(listing: Listing, split: str) -> dict[str, int]:
    return dict(Counter(class_of(listing, picture) for picture in listing.splits[split]))


def files(listing: Listing, split: str) -> list[str]:
    """Parent folder and name of a split's pictures."""
    return ["/".join(picture.path.parts[-2:]) for picture in listing.splits[split]]


def base_and_new(listing: Listing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first ceil(n / 2) labels and the others (CoOp's rule)."""
    half = math.ceil(len(listing.class_names) / 2)
    return listing.class_names[:half], listing.class_names[half:]
