"""cross-dataset: train on one data set, test on others."""

from fedmvp_core.attributes.files import Attributes, attributes_of
from fedmvp_core.config import RunConfig
from fedmvp_core.data.image_set import Dataset
from fedmvp_core.data.settings.parts import evaluation, task_maker, tested
from fedmvp_core.data.settings.setting import Setting
from fedmvp_core.data.settings.summaries import mean_over_targets
from fedmvp_core.errors import ConfigError
from fedmvp_core.registry import DATASETS, find, names_in


def cross_dataset(dataset: Dataset, config: RunConfig) -> Setting:
    """Train on all classes of `dataset`; test on it and on each of `target-datasets`.

    Each target is read as a run on it would read it, from the same data-dir, and is tested on all
    of its classes, as a split of its name. The headline is the mean over the targets (CoCoOp,
    section 4.2).

    Raises:
        ConfigError: target-datasets names nothing, the source, or what is not installed; or the
            images of a target have several labels and those of the source one, or the other way.
        DataError: a target cannot be read.
    """
    targets = {name: _load(name, dataset, config) for name in target_names(config)}
    described = {name: attributes_of(config, target) for name, target in targets.items()}
    own, several = attributes_of(config, dataset), dataset.train.multi_label
    evaluations = [
        evaluation(
            "source",
            tested(dataset, config),
            task_maker(own, config, several)(dataset.class_names),
            dataset,
        )
    ]
    for name, target in targets.items():
        task = task_maker(described[name], config.with_values(dataset=name), several)(
            target.class_names
        )
        evaluations.append(evaluation(name, tested(target, config), task, target))
    return Setting(
        train=dataset.train,
        validation=dataset.validation,
        evaluations=tuple(evaluations),
        local={},
        summary=mean_over_targets(tuple(targets)),
        make_task=task_maker(_together([*described.values(), own]), config, several),
    )


def target_names(config: RunConfig) -> tuple[str, ...]:
    """The names in target-datasets, checked.

    Raises:
        ConfigError: see cross_dataset.
    """
    names = tuple(name.strip() for name in config.data.target_datasets.split(",") if name.strip())
    others = [name for name in names_in(DATASETS) if name != config.data.dataset]
    for name in names or ("",):
        if name not in others or names.count(name) > 1:
            raise ConfigError(
                f"target-datasets is '{config.data.target_datasets}'; allowed: different names, with "
                f"commas between them, out of {', '.join(others)}"
            )
    return names


def _load(name: str, source: Dataset, config: RunConfig) -> Dataset:
    """A target at the image size of the source."""
    target: Dataset = find(DATASETS, name)(
        config.with_values(dataset=name), source.train.image_size
    )
    if target.train.multi_label != source.train.multi_label:
        kind = "several labels" if target.train.multi_label else "one label"
        raise ConfigError(
            f"target-datasets names '{name}', whose images have {kind}, but those of "
            f"{source.name} have not; allowed: data sets of the same kind"
        )
    return target


def _together(all_attributes: list[Attributes | None]) -> Attributes | None:
    """The phrases of every data set, a later one's first where classes share a name.

    None when a data set has no phrases: its classes would be refused beside those that have.
    """
    together: dict[str, tuple[str, ...]] = {}
    for attributes in all_attributes:
        if attributes is None:
            return None
        together |= {name: tuple(phrases) for name, phrases in attributes.items()}
    return together
