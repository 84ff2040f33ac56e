"""The splits of a run: their names in words, what each tells, and which belong together."""

import re

from simulations.report.run_data import RunData

TITLES = {
    "harmonic-mean": "Harmonic mean",
    "target-mean": "Mean over targets",
    "local": "Local",
    "base": "Base",
    "new": "New",
    "source": "Source",
    "target": "Target",
    "all": "All",
    "seen": "Seen",
    "unseen": "Unseen",
}
_MEANINGS = {
    "target-mean": "the plain mean over the targets, of which training has seen none",
    "local": "each client's own classes, told apart among themselves",
    "base": "the classes of all clients, told apart together",
    "new": "classes that no client has ever seen",
    "source": "what the clients hold a part of",
    "target": "the domain that no client has ever seen",
    "all": "all classes together",
    "seen": "the labels that are trained, ranked among themselves",
    "unseen": "labels that no client has ever been told, ranked among themselves",
}
_HARMONIC = {"base-to-new": "the three beside it", "gzsl": "seen and unseen"}
_CLIENT = re.compile(r"client-\d+")


def meanings(run: RunData) -> dict[str, str]:
    """What each of the well-known splits of this run tells."""
    of = _HARMONIC.get(str(run.config.get("setting")), "others")
    found = _MEANINGS | {"harmonic-mean": f"one number for {of}; low if any of them is low"}
    if splits_of_data_sets(run):
        found["base"] = "the classes of a data set's clients, told apart together"
        found["all"] = "all classes of a data set"
        for split in ("local", "base", "new", "all"):
            found[split] += ", mean over the data sets"
    return found


def evaluated_splits(run: RunData) -> list[str]:
    """Central splits that were evaluated, the well-known ones first and in their usual order.

    Of a federation over several data sets the means over these, not the splits of each.
    """
    of_one = {split for own in splits_of_data_sets(run).values() for split in own.values()}
    return [split for split in central_splits(run) if split not in of_one]


def central_splits(run: RunData) -> list[str]:
    """Central splits that were evaluated, those of single data sets too."""
    rows = run.metrics[run.metrics["metric"] == run.headline]
    found = [split for split in rows["split"].unique() if not _CLIENT.fullmatch(split)]
    known = [split for split in TITLES if split in found]
    return known + [split for split in found if split not in known]


def splits_of_data_sets(run: RunData) -> dict[str, dict[str, str]]:
    """Data set -> mean that it is part of ("base") -> its own split; empty where there is one."""
    names = data_sets(run)
    if len(names) == 1:
        return {}
    every = central_splits(run)
    return {
        name: {mean: own for mean in every if (own := f"{mean}-{name}") in every} for name in names
    }


def data_sets(run: RunData) -> list[str]:
    """The data sets that a run trained on, one or more."""
    return str(run.config.get("dataset", "")).split(",")


def plain_class(run: RunData, name: str) -> str:
    """A class's name without its data set, which it carries where there are several."""
    dataset, _, plain = name.partition("/")
    return plain if len(data_sets(run)) > 1 and dataset in data_sets(run) else name


def client_splits(run: RunData) -> list[str]:
    """`client-000`, ... as far as they occur in the metrics, in order of their numbers."""
    names = [name for name in run.metrics["split"].unique() if _CLIENT.fullmatch(name)]
    return sorted(names, key=lambda name: int(name.removeprefix("client-")))
