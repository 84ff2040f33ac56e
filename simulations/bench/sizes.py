"""How large the things are that are measured, without torch."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """batch: images a step. classes, attributes: of a client's task. turns: paired repeats.

    clients: numbers of clients, for the parts that have such; (): the part's own. rounds: of a part
    that runs a federation; 0: the part's own. numbers: of an update. images: pictures to load.
    aggregations: whose memory is looked at. quick: whatever else is large is small too.
    """

    backbone: str = "tiny"
    device: str = "cpu"
    precision: str = "fp32"
    batch: int = 32
    classes: int = 20  # FedMVP's most a client
    attributes: int = 10  # FedMVP's a class
    attack_steps: int = 3
    turns: int = 7
    clients: tuple[int, ...] = ()
    rounds: int = 0
    numbers: int = 281_088
    images: int = 2000
    aggregations: tuple[str, ...] = ("fedavg", "fedmedian", "krum")
    quick: bool = False


QUICK = Sizes(batch=4, classes=3, attributes=2, attack_steps=1, turns=2, images=60, quick=True)


def chosen_sizes(quick: bool, **given: object) -> Sizes:
    """The usual sizes, or the small ones that try the code, with what is given in place of them."""
    own = {name: value for name, value in given.items() if value is not None}
    return replace(QUICK if quick else Sizes(), **own)  # type: ignore[arg-type]
