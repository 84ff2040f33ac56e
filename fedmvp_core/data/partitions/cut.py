"""How a list of classes is cut among clients: as FedMVP's released code cuts it, or evenly."""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from fedmvp_core.config.options import OneOf, option
from fedmvp_core.errors import ConfigError

CLASSES_A_CLIENT = 20
AUTO, EQUAL, PUBLISHED = "auto", "equal", "published"


@dataclass(frozen=True)
class CutOptions:
    """Of `disjoint_classes` and `by_domain_and_class`."""

    cut: Annotated[str, OneOf((AUTO, EQUAL, PUBLISHED))] = option(
        AUTO,
        "published: 20 classes to each client, the rest to the last; equal: as equal as can be; "
        "auto: published where the number of clients is FedMVP's, else equal",
    )


def clients_of(classes: int) -> int:
    """About 20 classes each: max(round(classes / 20), 1), half to even (FedMVP's released code).

    classes: the base classes of a base-to-new run, or all classes of a domain.
    """
    return max(round(classes / CLASSES_A_CLIENT), 1)


def cut_classes(classes: Tensor, clients: int, cut: str) -> tuple[Tensor, ...]:
    """A contiguous group of labels for each client, none of them empty.

    classes: (classes,) int64, sorted. clients: 1 to the number of classes.
    cut: "published" gives 20 to each and the rest to the last, which holds 10 to 30 where the
    number of clients is `clients_of(len(classes))` (50 classes: 20, 30); "equal" gives groups whose
    sizes differ by one at most (25, 25); "auto" chooses between them by that number.

    Raises:
        ConfigError: 20 each would leave a client without classes.
    """
    if cut == EQUAL or (cut == AUTO and clients != clients_of(len(classes))):
        return classes.tensor_split(clients)
    most = -(-len(classes) // CLASSES_A_CLIENT)
    if clients > most:
        raise ConfigError(
            f"{clients} clients, but the published cut gives {CLASSES_A_CLIENT} classes to each, "
            f"and there are {len(classes)}; allowed: 1 to {most} ({clients_of(len(classes))} as "
            "published), or partition.cut=equal"
        )
    starts = [CLASSES_A_CLIENT * client for client in range(1, clients)]
    return classes.tensor_split(starts)
